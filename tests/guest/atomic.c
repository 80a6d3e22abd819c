/*
 * C11's atomic operations, as both architectures do them: each operation on each type between two guard words, and many goroutines on
 * one word. Names in brackets are those of Go's tests; each stands for those with and without "Method".
 */
#include "suite.h"

#include <stdatomic.h>
#include <stdint.h>

#include <hartbeat/go.h>
#include <hartbeat/time.h>

/* Types: name, C type, an alternating pattern for the guards. Go has no 8-bit functions outside its runtime (And8, Or8, Xchg8). */
#define TYPES(X)                                \
	X(int8, int8_t, 0x5a)                   \
	X(uint8, uint8_t, 0x5a)                 \
	X(int16, int16_t, 0x5ad0)               \
	X(uint16, uint16_t, 0x5ad0)             \
	X(int32, int32_t, 0x5ad0f12d)           \
	X(uint32, uint32_t, 0x5ad0f12d)         \
	X(int64, int64_t, 0x5ad0f12d19cd3b6e)   \
	X(uint64, uint64_t, 0x5ad0f12d19cd3b6e) \
	X(uintptr, uintptr_t, 0x5ad0f12d19cd3b6e)

/* Runs body for each type with x, a word between guards, k, the value it should have, and d, each power of two of the type. */
#define EACH_BIT(name, type, magic, first, body)                          \
	{                                                                 \
		struct {                                                  \
			type before;                                      \
			_Atomic type i;                                   \
			type after;                                       \
		} x = {(type)magic, (type)(first), (type)magic};          \
		type k = (type)(first);                                   \
		for (unsigned bit = 0; bit < 8 * sizeof(type); bit++) {   \
			type d = (type)((uint64_t)1 << bit);              \
			body;                                             \
			CHECK(atomic_load(&x.i) == k);                    \
		}                                                         \
		CHECK(x.before == (type)magic && x.after == (type)magic); \
		(void)k;                                                  \
	}

#define SWAP(name, type, magic)                      \
	EACH_BIT(name, type, magic, 0, {             \
		type old = atomic_exchange(&x.i, d); \
		CHECK(old == k);                     \
		k = d;                               \
	})
#define ADD(name, type, magic)                         \
	EACH_BIT(name, type, magic, 0, {               \
		type old = atomic_fetch_add(&x.i, d);  \
		CHECK(old == k);                       \
		k = (type)((uint64_t)k + (uint64_t)d); \
	})
#define AND(name, type, magic)                               \
	EACH_BIT(name, type, magic, -1, {                    \
		type old = atomic_fetch_and(&x.i, (type)~d); \
		CHECK(old == k);                             \
		k = (type)(k & ~d);                          \
	})
#define OR(name, type, magic)                        \
	EACH_BIT(name, type, magic, 0, {             \
		type old = atomic_fetch_or(&x.i, d); \
		CHECK(old == k);                     \
		k = (type)(k | d);                   \
	})
#define CAS(name, type, magic)                                           \
	EACH_BIT(name, type, magic, 0, {                                 \
		type wrong = (type)(k ^ d);                              \
		CHECK(!atomic_compare_exchange_strong(&x.i, &wrong, d)); \
		CHECK(wrong == k); /* it tells what it found */          \
		CHECK(atomic_compare_exchange_strong(&x.i, &wrong, d));  \
		k = d;                                                   \
	})
#define CAS_REL(name, type, magic)                                                                 \
	EACH_BIT(name, type, magic, 0, {                                                           \
		type was = k;                                                                      \
		CHECK(atomic_compare_exchange_strong_explicit(&x.i, &was, d, memory_order_release, \
							      memory_order_relaxed));              \
		k = d;                                                                             \
	})
#define LOAD(name, type, magic)                                       \
	EACH_BIT(name, type, magic, 0, {                              \
		*(type *)&x.i = d;                                    \
		k = atomic_load_explicit(&x.i, memory_order_acquire); \
		CHECK(k == d);                                        \
	})
#define STORE(name, type, magic)                                      \
	EACH_BIT(name, type, magic, 0, {                              \
		atomic_store_explicit(&x.i, d, memory_order_release); \
		k = *(type *)&x.i;                                    \
		CHECK(k == d);                                        \
	})

GUEST_TEST(atomic, swap, "exchange (TestSwap{Int32,Uint32,Int64,Uint64,Uintptr}, TestXchg8)"){TYPES(SWAP)}

GUEST_TEST(atomic, add, "fetch-and-add (TestAdd{Int32,Uint32,Int64,Uint64,Uintptr})"){TYPES(ADD)}

GUEST_TEST(atomic, and,
	   "fetch-and-and (TestAnd{Int32,Uint32,Int64,Uint64,Uintptr}, TestAnd8, TestAnd32, TestAnd64)"){
	TYPES(AND)}

GUEST_TEST(atomic, or,
	   "fetch-and-or (TestOr{Int32,Uint32,Int64,Uint64,Uintptr}, TestOr8, TestOr32, TestOr64)"){TYPES(OR)}

GUEST_TEST(atomic, compare_and_swap,
	   "compare-and-swap (TestCompareAndSwap{Int32,Uint32,Int64,Uint64,Uintptr})"){TYPES(CAS)}

GUEST_TEST(atomic, cas_rel, "compare-and-swap with release (TestCasRel)"){TYPES(CAS_REL)}

GUEST_TEST(atomic, load, "load (TestLoad{Int32,Uint32,Int64,Uint64,Uintptr})"){TYPES(LOAD)}

GUEST_TEST(atomic, store, "store (TestStore{Int32,Uint32,Int64,Uint64,Uintptr})"){TYPES(STORE)}

GUEST_TEST(atomic, pointer, "pointers (Test{Swap,CompareAndSwap,Load,Store}Pointer, TestValue)")
{
	static char to[64];
	struct {
		void *before;
		_Atomic(char *) p;
		void *after;
	} x = {to, NULL, to};
	char *k = NULL;
	for (size_t i = 1; i < sizeof to; i++) {
		CHECK(atomic_exchange(&x.p, &to[i]) == k);
		k = &to[i];
		char *wrong = NULL;
		CHECK(!atomic_compare_exchange_strong(&x.p, &wrong, to));
		CHECK(wrong == k);
		CHECK(atomic_compare_exchange_strong(&x.p, &wrong, &to[0]));
		CHECK(atomic_load(&x.p) == &to[0]);
		atomic_store(&x.p, k);
	}
	CHECK(x.before == to && x.after == to);
}

/* ---- many goroutines on one word ---- */

enum { HAMMERERS = 4 };

static struct {
	_Atomic uint32_t w32;
	_Atomic uint64_t w64;
	_Atomic uint8_t bytes[8];
	uint32_t rounds;
} at;

#define HAMMER(bits)                                                                                   \
	static void hammer##bits(void *arg)                                                            \
	{                                                                                              \
		(void)arg;                                                                             \
		for (uint32_t i = 0; i < at.rounds; i++) {                                             \
			/* four ways to add one; an exchange that takes everything and puts it back */ \
			atomic_fetch_add(&at.w##bits, 1);                                              \
			atomic_fetch_sub(&at.w##bits, (uint##bits##_t) - 1);                           \
			uint##bits##_t v = atomic_load(&at.w##bits);                                   \
			while (!atomic_compare_exchange_weak(&at.w##bits, &v, v + 1))                  \
				;                                                                      \
			v = atomic_exchange(&at.w##bits, 0);                                           \
			atomic_fetch_add_explicit(&at.w##bits, v + 1, memory_order_relaxed);           \
		}                                                                                      \
	}

HAMMER(32)
HAMMER(64)

GUEST_TEST(atomic, hammer32, "additions by many goroutines, in each way, are all counted (TestHammer32)")
{
	struct guest_group all = {0};
	at.rounds = guest_count(20000, 1000000);
	atomic_store(&at.w32, 0);
	for (int i = 0; i < HAMMERERS; i++)
		guest_go(&all, hammer32, NULL);
	guest_wait(&all);
	CHECK_EQ(atomic_load(&at.w32), HAMMERERS * 4 * at.rounds);
}

GUEST_TEST(atomic, hammer64, "the same with 64 bits (TestHammer64, TestXadduintptr, TestXadduintptrOnUint64)")
{
	struct guest_group all = {0};
	uint64_t start = (uint64_t)UINT32_MAX - 100; /* it carries */
	at.rounds = guest_count(20000, 1000000);
	atomic_store(&at.w64, start);
	for (int i = 0; i < HAMMERERS; i++)
		guest_go(&all, hammer64, NULL);
	guest_wait(&all);
	CHECK_EQ(atomic_load(&at.w64), start + HAMMERERS * 4ull * at.rounds);
}

/* Each has a bit of every byte, which nobody else touches. */
static void bits(void *arg)
{
	uint8_t mine = (uint8_t)(1u << (uintptr_t)arg);
	for (uint32_t i = 0; i < at.rounds; i++) {
		_Atomic uint8_t *b = &at.bytes[i % 8];
		CHECK_EQ(atomic_fetch_or(b, mine) & mine, 0);
		CHECK_EQ(atomic_load(b) & mine, mine);
		CHECK_EQ(atomic_fetch_and(b, (uint8_t)~mine) & mine, mine);
		atomic_fetch_or(&at.w64, (uint64_t)mine << 32);
		CHECK(atomic_fetch_and(&at.w64, ~((uint64_t)mine << 32)) & (uint64_t)mine << 32);
		atomic_fetch_or(&at.w32, (uint32_t)mine << 20);
		CHECK(atomic_fetch_and(&at.w32, ~((uint32_t)mine << 20)) & (uint32_t)mine << 20);
	}
}

GUEST_TEST(atomic, bitwise_contended,
	   "bits of one byte and word that belong to different goroutines (TestBitwiseContended, "
	   "TestBitwiseContended8)")
{
	struct guest_group all = {0};
	at.rounds = guest_count(10000, 500000);
	atomic_store(&at.w64, 0);
	atomic_store(&at.w32, 0);
	for (uintptr_t i = 0; i < 8; i++)
		guest_go(&all, bits, (void *)i);
	guest_wait(&all);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(atomic_load(&at.bytes[i]), 0);
	CHECK_EQ(atomic_load(&at.w64), 0);
	CHECK_EQ(atomic_load(&at.w32), 0);
}

/* Both halves of the word are the same, whoever stores it: no load sees half a store. */
static void halves(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < at.rounds; i++) {
		uint64_t v = atomic_load(&at.w64);
		CHECK_EQ((uint32_t)v, (uint32_t)(v >> 32));
		atomic_store(&at.w64, v + 1 + ((uint64_t)1 << 32));
		uint32_t w = atomic_load(&at.w32);
		CHECK_EQ((uint16_t)w, (uint16_t)(w >> 16));
		uint32_t n = (w + 1) & 0xffff;
		atomic_store(&at.w32, n << 16 | n);
	}
}

GUEST_TEST(atomic, hammer_store_load, "a load sees whole stores (TestHammerStoreLoad)")
{
	struct guest_group all = {0};
	at.rounds = guest_count(30000, 1000000);
	atomic_store(&at.w64, 0);
	atomic_store(&at.w32, 0);
	for (int i = 0; i < HAMMERERS; i++)
		guest_go(&all, halves, NULL);
	guest_wait(&all);
}

/* ---- litmus ---- */

struct pair {
	_Atomic int64_t x[2][16]; /* a cache line each; [i][0] is used */
	_Atomic int32_t x32[2][32];
	_Atomic int64_t ack[2][3];
	_Atomic int64_t signal;
	int64_t pad[16];
	int64_t data1;
	int64_t pad2[16];
	int64_t data2;
	_Atomic int64_t relaxed1, relaxed2;
};

struct side {
	struct pair *p;
	int me;
};

/* Two pairs: with four harts all are in it at once. */
static struct pair pairs[2];
static struct side sides[4];

/* Harts that take turns (EXACT=1) reorder nothing, and each turn lasts until the next deadline. */
static uint32_t litmus_rounds(uint32_t few, uint32_t many)
{
	return guest_exact() ? few / 100 : guest_count(few, many);
}

static void wait_a_bit(uint32_t n)
{
	if (n % 1000 == 999)
		go_yield();
}

static void check_dekker(int64_t i, int64_t mine, int64_t his)
{
	CHECK((mine == i || mine == i - 1) && (his == i || his == i - 1));
	if (mine != i && his != i)
		guest_fail(__FILE__, __LINE__,
			   "both read the old value in round %lld: not sequentially consistent",
			   (long long)i);
}

#define DEKKER(name, field)                                                                         \
	static void name(void *arg)                                                                 \
	{                                                                                           \
		struct side *s = arg;                                                               \
		struct pair *p = s->p;                                                              \
		int me = s->me, he = 1 - me;                                                        \
		for (int64_t i = 1; i < at.rounds; i++) {                                           \
			atomic_store(&p->field[me][0], i); /* before the load: both in one order */ \
			int64_t mine = atomic_load(&p->field[he][0]), his;                          \
			atomic_store(&p->ack[me][i % 3], mine);                                     \
			for (uint32_t n = 0; (his = atomic_load(&p->ack[he][i % 3])) == -1; n++)    \
				wait_a_bit(n);                                                      \
			check_dekker(i, mine, his);                                                 \
			atomic_store(&p->ack[me][(i - 1) % 3], -1);                                 \
		}                                                                                   \
	}

DEKKER(dekker64, x)
DEKKER(dekker32, x32)

static void run_pairs(void (*fn)(void *))
{
	struct guest_group all = {0};
	for (int i = 0; i < 4; i++) {
		struct pair *p = &pairs[i / 2];
		sides[i] = (struct side){p, i % 2};
		atomic_store(&p->x[i % 2][0], 0);
		atomic_store(&p->x32[i % 2][0], 0);
		for (int k = 0; k < 3; k++)
			atomic_store(&p->ack[i % 2][k], -1);
		atomic_store(&p->signal, 0);
		atomic_store(&p->relaxed1, 0);
		atomic_store(&p->relaxed2, 0);
	}
	unsigned n = go_harts() >= 4 ? 4 : 2;
	for (unsigned i = 0; i < n; i++)
		guest_go(&all, fn, &sides[i]);
	guest_wait(&all);
}

GUEST_TEST(atomic, store_load_seq_cst,
	   "store buffering: not both read what was before (TestStoreLoadSeqCst32, TestStoreLoadSeqCst64)")
{
	at.rounds = litmus_rounds(5000, 300000);
	run_pairs(dekker64);
	run_pairs(dekker32);
}

/* By turns one writes data, then releases; the other acquires, then reads. */
static void message(void *arg)
{
	struct side *s = arg;
	struct pair *p = s->p;
	for (int64_t i = 1; i < at.rounds; i++) {
		if (i % 2 == s->me) {
			p->data1 = i;
			p->data2 = -i;
			atomic_store_explicit(&p->signal, i,
					      memory_order_release); /* pairs with the load below */
		} else {
			for (uint32_t n = 0; atomic_load_explicit(&p->signal, memory_order_acquire) != i; n++)
				wait_a_bit(n);
			if (p->data1 != i || p->data2 != -i)
				guest_fail(__FILE__, __LINE__, "round %lld: a message without its data",
					   (long long)i);
		}
	}
}

GUEST_TEST(atomic, store_load_rel_acq,
	   "message passing by release and acquire (TestStoreLoadRelAcq32, TestStoreLoadRelAcq64)")
{
	at.rounds = litmus_rounds(5000, 300000);
	run_pairs(message);
}

/* The same with fences between relaxed operations. */
static void fenced(void *arg)
{
	struct side *s = arg;
	struct pair *p = s->p;
	for (int64_t i = 1; i < at.rounds; i++) {
		if (s->me == 0) {
			atomic_store_explicit(&p->relaxed1, i, memory_order_relaxed);
			atomic_thread_fence(memory_order_release); /* pairs with the one below */
			atomic_store_explicit(&p->relaxed2, i, memory_order_relaxed);
		} else {
			int64_t second = atomic_load_explicit(&p->relaxed2, memory_order_relaxed);
			atomic_thread_fence(memory_order_acquire); /* pairs with the one above */
			int64_t first = atomic_load_explicit(&p->relaxed1, memory_order_relaxed);
			CHECK(first >= second);
		}
	}
}

GUEST_TEST(atomic, message_passing_fences,
	   "message passing by fences: who sees the second store sees the first")
{
	at.rounds = litmus_rounds(20000, 1000000);
	run_pairs(fenced);
}

/* What is behind a compare-and-swap that releases, taken by an exchange that acquires: each message comes whole, none twice. */
static struct {
	_Atomic(int64_t *) slot;
	int64_t boxes[64];
	_Atomic int64_t sum;
	_Atomic uint32_t left;
} box;

static void publish(void *arg)
{
	int64_t *b = &box.boxes[(uintptr_t)arg * 16];
	for (int64_t i = 1; i < at.rounds; i++) {
		*b = i;
		int64_t *none = NULL;
		/* pairs with the exchange in collect(); as in sched/, both orders sequentially consistent */
		for (uint32_t n = 0; !atomic_compare_exchange_weak(&box.slot, &none, b); n++) {
			none = NULL;
			wait_a_bit(n);
		}
		for (uint32_t n = 0; __atomic_load_n(b, __ATOMIC_ACQUIRE) != 0; n++)
			wait_a_bit(n);
	}
	atomic_fetch_sub(&box.left, 1);
}

static void collect(void *arg)
{
	(void)arg;
	for (uint32_t n = 0; atomic_load(&box.left) != 0; n++) {
		int64_t *b = atomic_exchange_explicit(&box.slot, NULL, memory_order_acquire);
		if (b == NULL) {
			wait_a_bit(n);
			continue;
		}
		atomic_fetch_add(&box.sum, *b);
		__atomic_store_n(b, 0, __ATOMIC_RELEASE);
	}
}

GUEST_TEST(atomic, publish,
	   "what is published by a compare-and-swap comes whole and once (TestValueConcurrent, "
	   "TestValueSwapConcurrent, TestValueCompareAndSwapConcurrent)")
{
	struct guest_group all = {0};
	at.rounds = litmus_rounds(3000, 100000);
	atomic_store(&box.sum, 0);
	atomic_store(&box.left, 3);
	for (uintptr_t i = 0; i < 3; i++)
		guest_go(&all, publish, (void *)i);
	for (int i = 0; i < 2; i++)
		guest_go(&all, collect, NULL);
	guest_wait(&all);
	CHECK_EQ(atomic_load(&box.sum), 3ll * at.rounds * (at.rounds - 1) / 2);
}
