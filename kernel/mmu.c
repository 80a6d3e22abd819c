/* Pages for page tables (upcall of arch/arch.h). */
#include "arch/arch.h"
#include "kernel/page.h"

uint64_t upcall_table_page(void)
{
	return (uintptr_t)page_alloc_zero(0);
}
