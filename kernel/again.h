/*
 * A value that the compiler takes for a new one. It keeps what it has computed from a value, such as part of an address, for the next time, also over
 * a branch or a call on the other side of which it is hardly ever wanted, and that costs an instruction or a saved register each time.
 */
#ifndef KERNEL_AGAIN_H
#define KERNEL_AGAIN_H

#define AGAIN(value)                        \
	({                                  \
		__auto_type again_ = value; \
		__asm__("" : "+r"(again_)); \
		again_;                     \
	})

#endif
