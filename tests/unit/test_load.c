/* SPDX-License-Identifier: MIT */
/*
 * Which NUMA node `hmmsvm load` takes: machines as hwloc would describe them,
 * made up, and what has to be chosen on each.
 */
#include "unit.h"

#include "device/load-choice.h"

static hwloc_topology_t topology;
static hwloc_bitmap_t here;

/* A machine, seen from one of its CPUs. */
static void machine(const char *text, unsigned cpu)
{
    assert_int_equal(hwloc_topology_init(&topology), 0);
    if (*text == '<')
        assert_int_equal(hwloc_topology_set_xmlbuffer(topology, text, (int)strlen(text) + 1), 0);
    else
        assert_int_equal(hwloc_topology_set_synthetic(topology, text), 0);
    assert_int_equal(hwloc_topology_load(topology), 0);
    here = hwloc_bitmap_alloc();
    hwloc_bitmap_only(here, cpu);
}

static void chosen(unsigned node, unsigned size_mib, const char *why)
{
    struct load_choice choice;

    assert_true(load_choose(topology, here, &choice));
    assert_int_equal(choice.node, node);
    assert_int_equal(choice.size_mib, size_mib);
    assert_string_equal(choice.why, why);
    hwloc_bitmap_free(here);
    hwloc_topology_destroy(topology);
}

static void one_node(void **state)
{
    (void)state;
    machine("[NUMANode(memory=4GB)] core:4 pu:1", 0);
    chosen(0, 476, "it is the only one with memory");
    machine("[NUMANode(memory=512GiB)] core:4 pu:1", 0);
    chosen(0, 1024, "it is the only one with memory");
    machine("[NUMANode(memory=8MiB)] core:4 pu:1", 0);
    chosen(0, 2, "it is the only one with memory");
    machine("[NUMANode(memory=40MiB)] core:4 pu:1", 0);
    chosen(0, 4, "it is the only one with memory");
}

static void another_socket(void **state)
{
    (void)state;
    machine("package:2 [NUMANode(memory=2GiB)] core:2 pu:1", 0);
    chosen(1, 256, "it is another socket's");
    machine("package:2 [NUMANode(memory=2GiB)] core:2 pu:1", 3);
    chosen(0, 256, "it is another socket's");
    /* The first of them. */
    machine("package:4 [NUMANode(memory=2GiB)] core:2 pu:1", 0);
    chosen(1, 256, "it is another socket's");
    /* A socket of two nodes: rather another socket than the neighbour. */
    machine("package:2 group:2 [NUMANode(memory=2GiB)] core:2 pu:1", 0);
    chosen(2, 256, "it is another socket's");
    machine("package:1 group:2 [NUMANode(memory=2GiB)] core:2 pu:1", 0);
    chosen(1, 256, "it is another than the one this runs on");
}

/* As KNL has it: the same CPUs are near both. */
static void without_cpus(void **state)
{
    (void)state;
    machine("package:2 [NUMANode(memory=8GiB)] [NUMANode(memory=1GiB)] core:2 pu:1", 0);
    chosen(1, 128, "it has no CPUs of its own");
    machine("package:2 [NUMANode(memory=8GiB)] [NUMANode(memory=1GiB)] core:2 pu:1", 2);
    chosen(3, 128, "it has no CPUs of its own");
}

#define OBJECT(type, index, sets, rest)                                                            \
    "<object type=\"" type "\" os_index=\"" index "\" " sets " " rest
#define CPU(index, set)                                                                            \
    OBJECT("PU", index, "cpuset=\"" set "\" complete_cpuset=\"" set "\" nodeset=\"0x00000001\" "   \
           "complete_nodeset=\"0x00000001\"", "gp_index=\"1" index "\"/>")

/* One socket with a node, and a second node that has no CPU at all. */
#define MACHINE(second)                                                                            \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"                                                 \
    "<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n<topology version=\"2.0\">\n"                      \
    OBJECT("Machine", "0", "cpuset=\"0x00000003\" complete_cpuset=\"0x00000003\" "                 \
           "allowed_cpuset=\"0x00000003\" nodeset=\"0x00000007\" "                                 \
           "complete_nodeset=\"0x00000007\" allowed_nodeset=\"0x00000007\"", "gp_index=\"1\">")    \
    OBJECT("NUMANode", "0", "cpuset=\"0x00000003\" complete_cpuset=\"0x00000003\" "                \
           "nodeset=\"0x00000001\" complete_nodeset=\"0x00000001\"",                               \
           "gp_index=\"2\" local_memory=\"8589934592\"/>")                                         \
    OBJECT("NUMANode", "1", "cpuset=\"0x0\" complete_cpuset=\"0x0\" "                              \
           "nodeset=\"0x00000002\" complete_nodeset=\"0x00000002\"",                               \
           "gp_index=\"3\" local_memory=\"4294967296\"/>")                                         \
    OBJECT("NUMANode", "2", "cpuset=\"0x0\" complete_cpuset=\"0x0\" "                              \
           "nodeset=\"0x00000004\" complete_nodeset=\"0x00000004\"", "gp_index=\"4\" " second)     \
    CPU("0", "0x00000001") CPU("1", "0x00000002") "</object></topology>"

static void memory_only_nodes(void **state)
{
    (void)state;
    /* The first of two alike, unless the second says that it is special. */
    machine(MACHINE("local_memory=\"2147483648\"/>"), 0);
    chosen(1, 512, "it has no CPUs of its own");
    machine(MACHINE("local_memory=\"2147483648\" subtype=\"HBM\"/>"), 0);
    chosen(2, 256, "it is high-bandwidth or CXL memory");
    machine(MACHINE("local_memory=\"2147483648\">"
                    "<info name=\"CXLDevice\" value=\"region0\"/></object>"), 0);
    chosen(2, 256, "it is high-bandwidth or CXL memory");
    machine(MACHINE("local_memory=\"2147483648\">"
                    "<info name=\"DAXType\" value=\"SPM\"/></object>"), 0);
    chosen(2, 256, "it is high-bandwidth or CXL memory");
    /* Not one that is empty, whatever it is. */
    machine(MACHINE("local_memory=\"0\" subtype=\"HBM\"/>"), 0);
    chosen(1, 512, "it has no CPUs of its own");
}

static void a_given_node(void **state)
{
    struct load_choice choice;

    (void)state;
    machine("package:2 [NUMANode(memory=2GiB)] core:2 pu:1", 0);
    assert_true(load_choose_node(topology, 0, &choice));
    assert_int_equal(choice.node, 0);
    assert_int_equal(choice.size_mib, 256);
    assert_int_equal(choice.node_mib, 2048);
    assert_string_equal(choice.why, "as asked");
    assert_false(load_choose_node(topology, 2, &choice));
    chosen(1, 256, "it is another socket's");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_node),
        cmocka_unit_test(another_socket),
        cmocka_unit_test(without_cpus),
        cmocka_unit_test(memory_only_nodes),
        cmocka_unit_test(a_given_node),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
