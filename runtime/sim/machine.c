/* SPDX-License-Identifier: MIT */
/*
 * machine.c - what a machine's memory costs, from a JSON file (docs/policy-lab.md), and what that
 * comes to. No locking.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

const struct sim_machine sim_machine_plain = {
    .name = "plain",
    .what = "10 GB/s and 1 GB/s, a fault of 10 us",
    .local_line_ps = 6400,
    .remote_line_ps = 64000,
    .to_device_page_ps = 4096000,
    .to_system_page_ps = 4096000,
    .zero_page_ps = 409600,
    .copy_ps = 0,
    .device_fault_ps = 10000000,
    .cpu_fault_ps = 10000000,
    .withdraw_ps = 1000000,
};

enum unit { GB_PER_S, NS };

/* What a file must have. Bandwidths become the time of so many bytes. */
static const struct field {
    const char *name;
    enum unit unit;
    unsigned bytes;
    size_t offset;
} fields[] = {
#define FIELD(name, unit, bytes, field) { name, unit, bytes, offsetof(struct sim_machine, field) }
    FIELD("local_gb_s", GB_PER_S, SIM_LINE, local_line_ps),
    FIELD("remote_gb_s", GB_PER_S, SIM_LINE, remote_line_ps),
    FIELD("to_device_gb_s", GB_PER_S, HMMSVM_POLICY_PAGE_SIZE, to_device_page_ps),
    FIELD("to_system_gb_s", GB_PER_S, HMMSVM_POLICY_PAGE_SIZE, to_system_page_ps),
    FIELD("clear_gb_s", GB_PER_S, HMMSVM_POLICY_PAGE_SIZE, zero_page_ps),
    FIELD("copy_ns", NS, 0, copy_ps),
    FIELD("device_fault_ns", NS, 0, device_fault_ps),
    FIELD("cpu_fault_ns", NS, 0, cpu_fault_ps),
    FIELD("withdraw_ns", NS, 0, withdraw_ps),
#undef FIELD
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static bool read_field(json_object *root, const struct field *field, struct sim_machine *machine,
                       char *error, size_t error_size)
{
    json_object *entry, *number, *source;
    uint64_t *to = (uint64_t *)((char *)machine + field->offset);
    double value;

    if (!json_object_object_get_ex(root, field->name, &entry) ||
        !json_object_object_get_ex(entry, "value", &number)) {
        snprintf(error, error_size, "it has no %s with a value", field->name);
        return false;
    }
    if (!json_object_object_get_ex(entry, "source", &source) ||
        !json_object_get_string_len(source)) {
        snprintf(error, error_size, "its %s has no source", field->name);
        return false;
    }
    value = json_object_get_double(number);
    if (!(field->unit == GB_PER_S ? value >= 0.001 : value >= 0) || value > 1e9) {
        snprintf(error, error_size, "its %s of %g is out of range", field->name, value);
        return false;
    }
    *to = (uint64_t)((field->unit == GB_PER_S ? field->bytes * 1000 / value : value * 1000) + 0.5);
    return true;
}

static bool read_root(json_object *root, struct sim_machine *machine, char *error,
                      size_t error_size)
{
    json_object *what;
    size_t i;

    if (!json_object_object_get_ex(root, "what", &what)) {
        snprintf(error, error_size, "it has no \"what\"");
        return false;
    }
    snprintf(machine->what, sizeof(machine->what), "%s", json_object_get_string(what));
    for (i = 0; i < FIELDS; i++)
        if (!read_field(root, &fields[i], machine, error, error_size))
            return false;
    if (machine->remote_line_ps < machine->local_line_ps) {
        snprintf(error, error_size, "its remote_gb_s is above its local_gb_s: there is nothing "
                 "to gain from migration");
        return false;
    }
    return true;
}

bool sim_machine_read(const char *name, const char *folder, struct sim_machine *machine,
                      char *error, size_t error_size)
{
    json_object *root;
    const char *base;
    char path[4096];
    size_t n;
    bool ok;

    if (!strcmp(name, sim_machine_plain.name)) {
        *machine = sim_machine_plain;
        return true;
    }
    if (folder && !strchr(name, '/') && !strchr(name, '.'))
        snprintf(path, sizeof(path), "%s/%s.json", folder, name);
    else
        snprintf(path, sizeof(path), "%s", name);
    memset(machine, 0, sizeof(*machine));
    base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    n = strcspn(base, ".");
    snprintf(machine->name, sizeof(machine->name), "%.*s", (int)(n < 31 ? n : 31), base);
    errno = 0;
    root = json_object_from_file(path);
    if (!root) {
        snprintf(error, error_size, "%s: %s", path, errno ? strerror(errno) : "it is not JSON");
        return false;
    }
    ok = read_root(root, machine, error, error_size);
    json_object_put(root);
    return ok;
}

uint64_t sim_moving_ps(const struct sim_machine *machine, const struct sim_counters *count)
{
    /* Counters of a real module are read one after the other. */
    uint64_t zeroed = count->pages_zeroed < count->pages_to_device ? count->pages_zeroed
                                                                   : count->pages_to_device;

    return count->device_faults * machine->device_fault_ps +
           count->cpu_faults * (machine->cpu_fault_ps + machine->copy_ps) +
           (count->migrations_to_device + count->evictions) * machine->copy_ps +
           zeroed * machine->zero_page_ps +
           (count->pages_to_device - zeroed) * machine->to_device_page_ps +
           count->pages_to_system * machine->to_system_page_ps +
           (count->withdrawals + count->shows) * machine->withdraw_ps;
}
