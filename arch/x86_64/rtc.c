/* Wall clock: the CMOS clock of the PC (Motorola MC146818), which both machines have. */
#include "arch/arch.h"
#include "arch/x86_64/instr.h"

enum {
	CMOS_INDEX = 0x70,
	CMOS_DATA = 0x71,
	RTC_SECOND = 0x00,
	RTC_MINUTE = 0x02,
	RTC_HOUR = 0x04,
	RTC_DAY = 0x07,
	RTC_MONTH = 0x08,
	RTC_YEAR = 0x09, /* two digits */
	RTC_STATUS_A = 0x0a,
	RTC_STATUS_B = 0x0b,
	RTC_CENTURY = 0x32,

	STATUS_A_UPDATING = 0x80,
	STATUS_B_24_HOURS = 0x02,
	STATUS_B_BINARY = 0x04,
	HOUR_PM = 0x80, /* in 12-hour mode */

	UPDATE_SPINS = 100000, /* an update takes 2 ms at most; without a clock the bit may be stuck at 1 */
	READ_TRIES = 8,
};

struct rtc {
	unsigned second, minute, hour, day, month, year, century;
};

static unsigned cmos_read(uint8_t reg)
{
	outb(CMOS_INDEX, reg);
	return inb(CMOS_DATA);
}

static bool rtc_read(struct rtc *t)
{
	unsigned spins = 0;
	while ((cmos_read(RTC_STATUS_A) & STATUS_A_UPDATING) != 0)
		if (++spins == UPDATE_SPINS)
			return false;
	*t = (struct rtc){
		cmos_read(RTC_SECOND), cmos_read(RTC_MINUTE), cmos_read(RTC_HOUR),    cmos_read(RTC_DAY),
		cmos_read(RTC_MONTH),  cmos_read(RTC_YEAR),   cmos_read(RTC_CENTURY),
	};
	return true;
}

static unsigned decode(unsigned v, bool binary)
{
	return binary ? v : (v >> 4) * 10 + (v & 15);
}

/* Days since 1970-01-01 of a day in the Gregorian calendar: years are counted from March, so that the leap
 * day is the last of a year, in eras of 400. */
static uint64_t days_since_1970(unsigned year, unsigned month, unsigned day)
{
	unsigned y = month <= 2 ? year - 1 : year;
	unsigned era = y / 400, yoe = y % 400;
	unsigned doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	uint64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return (uint64_t)era * 146097 + doe - 719468;
}

uint64_t arch_wall_ns(void)
{
	struct rtc t, again;
	unsigned tries = 0;
	/* Twice the same, otherwise an update fell between two registers. */
	do {
		if (tries++ == READ_TRIES || !rtc_read(&t) || !rtc_read(&again))
			return 0;
	} while (__builtin_memcmp(&t, &again, sizeof t) != 0);

	unsigned status = cmos_read(RTC_STATUS_B);
	bool binary = (status & STATUS_B_BINARY) != 0;
	bool pm = (status & STATUS_B_24_HOURS) == 0 && (t.hour & HOUR_PM) != 0;
	unsigned hour =
		decode((status & STATUS_B_24_HOURS) == 0 ? t.hour & ~(unsigned)HOUR_PM : t.hour, binary);
	if ((status & STATUS_B_24_HOURS) == 0)
		hour = hour % 12 + (pm ? 12 : 0);
	unsigned year = decode(t.century, binary) * 100 + decode(t.year, binary);
	unsigned month = decode(t.month, binary), day = decode(t.day, binary);
	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31)
		return 0;
	uint64_t seconds = days_since_1970(year, month, day) * 86400 + hour * 3600u +
			   decode(t.minute, binary) * 60u + decode(t.second, binary);
	return seconds * UINT64_C(1000000000);
}
