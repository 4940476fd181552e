/* Decodes the SML telegrams of standard input with libsml: framing, checksum, every value.
 *
 * Arguments: rounds, repetitions in a round. Prints the number of telegrams of one repetition and the
 * shortest CPU time of a round's telegram in nanoseconds.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sml/sml_crc16.h>
#include <sml/sml_file.h>
#include <sml/sml_value.h>

static const unsigned char BEGIN[] = {0x1b, 0x1b, 0x1b, 0x1b, 1, 1, 1, 1};
static const unsigned char END[] = {0x1b, 0x1b, 0x1b, 0x1b, 0x1a};

static double sum;

static void take(sml_list *entry) {
	for (; entry != NULL; entry = entry->next) {
		if (entry->value != NULL && entry->value->type != SML_TYPE_OCTET_STRING)
			sum += sml_value_to_double(entry->value) * pow(10, entry->scaler ? *entry->scaler : 0);
	}
}

static long decode(unsigned char *data, size_t size) {
	unsigned char *end, *position = data, *stop = data + size;
	long telegrams = 0;
	while ((position = memmem(position, stop - position, BEGIN, sizeof BEGIN)) != NULL) {
		end = memmem(position, stop - position, END, sizeof END);
		if (end == NULL || stop - end < 8)
			break;
		end += 8;
		if (sml_crc16_calculate(position, end - position - 2) == (end[-2] << 8 | end[-1])) {
			sml_file *file = sml_file_parse(position + 8, end - position - 16);
			for (int number = 0; number < file->messages_len; number++) {
				sml_message_body *body = file->messages[number]->message_body;
				if (*body->tag == SML_MESSAGE_GET_LIST_RESPONSE) {
					take(((sml_get_list_response *)body->data)->val_list);
					telegrams++;
				}
			}
			sml_file_free(file);
		}
		position = end;
	}
	return telegrams;
}

static double now(void) {
	struct timespec at;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
	return at.tv_sec * 1e9 + at.tv_nsec;
}

int main(int count, char **arguments) {
	static unsigned char data[1 << 24];
	size_t size = fread(data, 1, sizeof data, stdin);
	int rounds = count > 1 ? atoi(arguments[1]) : 1, times = count > 2 ? atoi(arguments[2]) : 1;
	double best = INFINITY;
	long telegrams = 0;
	for (int round = 0; round < rounds; round++) {
		double begin = now();
		for (int time = 0; time < times; time++)
			telegrams = decode(data, size);
		best = fmin(best, (now() - begin) / times / (telegrams ? telegrams : 1));
	}
	printf("%ld %f\n", telegrams, best);
	return sum < 0;
}
