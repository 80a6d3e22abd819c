/* Fuzzes the parser of HTTP requests: whole, and cut in two, it says the same. */
#include "prof/serve/http.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int feed(struct http_request *r, const char *bytes, size_t n, size_t cut)
{
	size_t used = 0;
	int status = HTTP_MORE;
	http_init(r);
	if (cut > 0)
		status = http_feed(r, bytes, cut, &used);
	if (status == HTTP_MORE && used != cut)
		abort();
	if (status == HTTP_MORE)
		status = http_feed(r, bytes + cut, n - cut, &used);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_request whole, cut;
	if (size == 0)
		return 0;
	const char *bytes = (const char *)data + 1;
	int status = feed(&whole, bytes, size - 1, 0);
	if (status != feed(&cut, bytes, size - 1, data[0] % size))
		abort();
	if (status == HTTP_DONE) {
		if (whole.path[0] != '/' || strcmp(whole.path, cut.path) != 0 ||
		    whole.n_params > HTTP_PARAMS_MAX)
			abort();
		for (unsigned i = 0; i < whole.n_params; i++)
			if (http_get(&whole, whole.param[i].name) == NULL)
				abort();
	}
	return 0;
}
