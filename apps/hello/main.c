/* The smallest program: a goroutine for each hart, and a wait for all of them. Copy this folder to start your own. */
#include <stdio.h>

#include <hartbeat/go.h>
#include <hartbeat/sync.h>

static struct waitgroup done;

static void greet(void *arg)
{
	printf("hello from goroutine %llu, greeting %d\n", (unsigned long long)go_id(), *(int *)arg);
	waitgroup_done(&done);
}

int main(void)
{
	int number[] = {1, 2, 3, 4};
	waitgroup_add(&done, 4);
	for (int i = 0; i < 4; i++)
		if (go(greet, &number[i]) == 0)
			return 1;
	waitgroup_wait(&done);
	return 0;
}
