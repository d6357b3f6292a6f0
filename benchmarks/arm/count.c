/* TCG plugin: counts the instructions that the guest executes and writes the count whenever the guest asks for its session (getsid).
 *
 * One line a mark, "COUNT THREADS": instructions executed so far by all threads, threads started so far. Nothing else in a Python that computes
 * calls getsid, and the call changes nothing, so guest.py sets its marks by it. Counts are exact for one thread: the addition is not atomic.
 * Debian ships no header of the plugin API (version 1, QEMU's include/qemu/qemu-plugin.h): what is used is declared here.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
struct qemu_plugin_tb;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

void qemu_plugin_register_vcpu_init_cb(qemu_plugin_id_t id, void (*callback)(qemu_plugin_id_t id, unsigned int vcpu));
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, void (*callback)(qemu_plugin_id_t id, struct qemu_plugin_tb *block));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block, enum qemu_plugin_op op, void *target, uint64_t amount);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t id,
                                          void (*callback)(qemu_plugin_id_t id, unsigned int vcpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3,
                                                           uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
void qemu_plugin_outs(const char *text);

#define EXPORT __attribute__((visibility("default")))
#define GETSID 156 /* Linux on aarch64: include/uapi/asm-generic/unistd.h */

EXPORT int qemu_plugin_version = 1;

static uint64_t instructions;
static unsigned int threads;

static void thread_started(qemu_plugin_id_t id, unsigned int vcpu)
{
    (void)id, (void)vcpu;
    threads++;
}

/* A block has one way in and one way out and is executed whole, so its length is added where it begins. */
static void block_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(block, QEMU_PLUGIN_INLINE_ADD_U64, &instructions, qemu_plugin_tb_n_insns(block));
}

static void system_called(qemu_plugin_id_t id, unsigned int vcpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5,
                          uint64_t a6, uint64_t a7, uint64_t a8)
{
    char line[64];

    (void)id, (void)vcpu, (void)a1, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    if (number == GETSID) {
        snprintf(line, sizeof line, "%" PRIu64 " %u\n", instructions, threads);
        qemu_plugin_outs(line);
    }
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    (void)info, (void)argc, (void)argv;
    qemu_plugin_register_vcpu_init_cb(id, thread_started);
    qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
    qemu_plugin_register_vcpu_syscall_cb(id, system_called);
    return 0;
}
