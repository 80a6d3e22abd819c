/* The rest of the file touches no floating-point or vector register. */
#pragma GCC target("general-regs-only")
