/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints, one for each type of event; see enum hmmsvm_event_type.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM hmmsvm

#if !defined(HMMSVM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define HMMSVM_TRACE_H

#include <linux/tracepoint.h>

#include "hmmsvm.h"

DECLARE_EVENT_CLASS(hmmsvm_event,
	TP_PROTO(struct hmmsvm_context *ctx, const struct hmmsvm_event *e),
	TP_ARGS(ctx, e),
	TP_STRUCT__entry(
		__field(void *, ctx)
		__field(u64, address)
		__field(u32, pages)
		__field(u32, took_ns)
		__field(u16, flags)
	),
	TP_fast_assign(
		__entry->ctx = ctx;
		__entry->address = e->address;
		__entry->pages = e->pages;
		__entry->took_ns = e->took_ns;
		__entry->flags = e->flags;
	),
	TP_printk("ctx=%p address=0x%llx pages=%u flags=%s took_ns=%u",
		  __entry->ctx, __entry->address, __entry->pages,
		  __print_flags(__entry->flags, "|",
				{ HMMSVM_EVENT_WRITE, "write" },
				{ HMMSVM_EVENT_REMOTE, "remote" },
				{ HMMSVM_EVENT_HUGE, "huge" },
				{ HMMSVM_EVENT_SAMPLED, "sampled" }),
		  __entry->took_ns)
);

#define HMMSVM_DEFINE_EVENT(name)						\
	DEFINE_EVENT(hmmsvm_event, name,					\
		TP_PROTO(struct hmmsvm_context *ctx, const struct hmmsvm_event *e),	\
		TP_ARGS(ctx, e))

HMMSVM_DEFINE_EVENT(hmmsvm_device_fault);
HMMSVM_DEFINE_EVENT(hmmsvm_cpu_fault);
HMMSVM_DEFINE_EVENT(hmmsvm_to_device);
HMMSVM_DEFINE_EVENT(hmmsvm_to_system);
HMMSVM_DEFINE_EVENT(hmmsvm_evict);
HMMSVM_DEFINE_EVENT(hmmsvm_withdraw);
HMMSVM_DEFINE_EVENT(hmmsvm_failed);

#endif /* HMMSVM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
