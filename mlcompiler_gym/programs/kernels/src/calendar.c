// SPDX-License-Identifier: Apache-2.0
// Dates in three calendars, durations, what recurs by a rule, and the reading
// and writing of dates; searches day by day have to agree.
// Sizes: 10 60 250

#include "kernel.h"

enum { DAILY, WEEKLY, MONTHLY, YEARLY, MAX_TEXT = 40, MAX_DATES = 20 };

typedef struct {
  int year, month, day;
} date; // or a duration

// Day one is the first of January of the Gregorian year one, a Monday.
typedef struct {
  int (*month_length)(int year, int month);
  int (*to_days)(date d);
} calendar;

// The `nth` of the weekdays in a month, or all of them if it is zero.
typedef struct {
  int every, interval, count, nth;
  unsigned weekdays;
} rule;

typedef struct {
  char data[MAX_TEXT];
  int length;
} text;

typedef struct {
  const char *at;
  bool broken;
} reader;

static void check(bool ok) {
  if (!ok)
    abort();
}

static int smaller(int a, int b) { return a < b ? a : b; }
static void expect(reader *r, bool ok) { r->broken |= !ok; }
static int weekday(int day) { return (day + 6) % 7; }

static bool gregorian_leap(int year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int roman_month(int month, bool leap) {
  return month == 2 ? 28 + leap : 30 + ((month + month / 8) & 1);
}

static int roman_day(date d, bool leap) {
  int before = (367 * d.month - 362) / 12; // as if February had thirty days
  return 365 * (d.year - 1) + before + d.day - (d.month > 2 ? 2 - leap : 0);
}

static int gregorian_month(int year, int month) {
  return roman_month(month, gregorian_leap(year));
}

static int gregorian_days(date d) {
  int y = d.year - 1;
  return y / 4 - y / 100 + y / 400 + roman_day(d, gregorian_leap(d.year));
}

static int julian_month(int year, int month) {
  return roman_month(month, year % 4 == 0);
}

static int julian_days(date d) {
  return (d.year - 1) / 4 + roman_day(d, d.year % 4 == 0) - 2;
}

static int islamic_month(int year, int month) {
  return 29 + month % 2 + (month == 12 && (14 + 11 * year) % 30 < 11);
}

static int islamic_days(date d) {
  int before = 29 * (d.month - 1) + d.month / 2;
  return 227014 + 354 * (d.year - 1) + (3 + 11 * d.year) / 30 + before + d.day;
}

static const calendar calendars[] = {{gregorian_month, gregorian_days},
                                     {julian_month, julian_days},
                                     {islamic_month, islamic_days}};
static const calendar *const civil = &calendars[0];

static int days_of(const calendar *c, int year, int month, int day) {
  return c->to_days((date){year, month, day});
}

static date to_date(const calendar *c, int day) {
  date d = {(day - c->to_days((date){1, 1, 1})) / 367 + 1, 1, 1};
  while (days_of(c, d.year + 1, 1, 1) <= day)
    d.year++;
  while (d.month < 12 && days_of(c, d.year, d.month + 1, 1) <= day)
    d.month++;
  d.day = day - c->to_days(d) + 1;
  return d;
}

static bool is_valid(const calendar *c, date d) {
  return d.year >= 1 && d.month >= 1 && d.month <= 12 && d.day >= 1 &&
         d.day <= c->month_length(d.year, d.month);
}

// The week belongs to the year that its Thursday is in.
static int week_number(int day, int *year) {
  int thursday = day - weekday(day) + 3;
  *year = to_date(civil, thursday).year;
  return (thursday - days_of(civil, *year, 1, 1)) / 7 + 1;
}

static date add_months(date d, int months) {
  int all = 12 * d.year + d.month - 1 + months;
  date out = {all / 12, all % 12 + 1, d.day};
  out.day = smaller(d.day, gregorian_month(out.year, out.month));
  return out;
}

static int add_duration(int day, date by) {
  date d = add_months(to_date(civil, day), 12 * by.year + by.month);
  return gregorian_days(d) + by.day;
}

static date between(int from, int to) {
  date a = to_date(civil, from), b = to_date(civil, to);
  int months = 12 * (b.year - a.year) + b.month - a.month;
  months -= gregorian_days(add_months(a, months)) > to;
  int days = to - gregorian_days(add_months(a, months));
  return (date){months / 12, months % 12, days};
}

static void put(text *t, const char *word) {
  for (; *word && t->length < MAX_TEXT - 1; word++)
    t->data[t->length++] = *word;
  t->data[t->length] = 0;
}

static void put_number(text *t, int number, int digits) {
  char digit[2] = {(char)('0' + number % 10), 0};
  if (number >= 10 || digits > 1)
    put_number(t, number / 10, digits - 1);
  put(t, digit);
}

// In a form of ISO 8601, either by months or by weeks.
static void put_day(text *t, int day, bool by_week) {
  date d = to_date(civil, day);
  int week = by_week ? week_number(day, &d.year) : d.month;
  put_number(t, d.year, 4);
  put(t, by_week ? "-W" : "-");
  put_number(t, week, 2);
  put(t, "-");
  put_number(t, by_week ? weekday(day) + 1 : d.day, by_week ? 1 : 2);
}

static void put_duration(text *t, date by) {
  put(t, "P");
  put_number(t, by.year, 1);
  put(t, "Y");
  put_number(t, by.month, 1);
  put(t, "M");
  put_number(t, by.day, 1);
  put(t, "D");
}

static bool accept(reader *r, const char *word) {
  size_t length = strlen(word);
  bool there = !strncmp(r->at, word, length);
  r->at += there ? length : 0;
  return there;
}

static int get_number(reader *r) {
  int number = 0;
  expect(r, *r->at >= '0' && *r->at <= '9');
  while (*r->at >= '0' && *r->at <= '9' && number < 100000)
    number = 10 * number + *r->at++ - '0';
  return number;
}

static int get_unit(reader *r, const char *unit) {
  int number = get_number(r);
  expect(r, accept(r, unit));
  return number;
}

static int get_day(reader *r) {
  int year = get_unit(r, "-");
  if (accept(r, "W")) {
    int week = get_unit(r, "-"), fourth = days_of(civil, year, 1, 4);
    return fourth - weekday(fourth) + 7 * (week - 1) + get_number(r) - 1;
  }
  date d = {year, get_unit(r, "-"), 0};
  d.day = get_number(r);
  expect(r, is_valid(civil, d));
  return r->broken ? 1 : gregorian_days(d);
}

static date get_duration(reader *r) {
  expect(r, accept(r, "P"));
  date by = {get_unit(r, "Y"), 0, 0};
  by.month = get_unit(r, "M");
  by.day = get_unit(r, "D");
  return by;
}

// The number of the day's period, of days, weeks, months or years.
static int period_of(const rule *r, int day) {
  date d = to_date(civil, day);
  int numbers[] = {day, (day - weekday(day)) / 7, 12 * d.year + d.month - 1,
                   d.year};
  return numbers[r->every];
}

static int period_start(const rule *r, int period) {
  return r->every == DAILY     ? period
         : r->every == WEEKLY  ? 7 * period + 1
         : r->every == MONTHLY ? days_of(civil, period / 12, period % 12 + 1, 1)
                               : days_of(civil, period, 1, 1);
}

static bool fits(const rule *r, int start, int day) {
  date d = to_date(civil, day), first = to_date(civil, start);
  if (r->every == YEARLY)
    return d.month == first.month && d.day == first.day;
  if (r->nth && (d.day + 6) / 7 != r->nth)
    return false;
  return r->every == DAILY || (r->weekdays >> weekday(day) & 1);
}

static void expand(const rule *r, int start, int *out) {
  int period = period_of(r, start), count = 0;
  for (; count < r->count; period += r->interval) {
    int end = period_start(r, period + 1);
    for (int day = period_start(r, period); day < end; day++)
      if (day >= start && count < r->count && fits(r, start, day))
        out[count++] = day;
  }
}

static void test_rule(const rule *r, int start, uint64_t *sum) {
  int out[MAX_DATES], count = 0;
  expand(r, start, out);
  for (int day = start; count < r->count; day++) {
    int periods = period_of(r, day) - period_of(r, start);
    if (periods % r->interval == 0 && fits(r, start, day))
      check(out[count++] == day);
  }
  *sum = kernel_checksum_u64(*sum, (uint64_t)out[count - 1]);
}

static void test_calendars(int day) {
  for (const calendar *c = calendars; c < calendars + 3; c++) {
    date d = to_date(c, day);
    check(is_valid(c, d) && c->to_days(d) == day);
    d.day++;
    check(is_valid(c, d) == (to_date(c, day + 1).day != 1));
  }
}

static void test_texts(int day, int later, uint64_t *sum) {
  for (int by_week = 0; by_week < 2; by_week++) {
    text t = {{0}, 0};
    put_day(&t, day, by_week);
    reader r = {t.data, false};
    check(get_day(&r) == day && !r.broken && !*r.at);
    *sum = kernel_checksum(*sum, t.data, (size_t)t.length);
  }
  text t = {{0}, 0};
  put_duration(&t, between(day, later));
  reader r = {t.data, false};
  check(add_duration(day, get_duration(&r)) == later && !r.broken);
  *sum = kernel_checksum(*sum, t.data, (size_t)t.length);
}

int main(int argc, char **argv) {
  static const rule rules[] = {{DAILY, 3, 20, 0, 0},
                               {WEEKLY, 2, 15, 0, 0x12},
                               {MONTHLY, 1, 7, 2, 0x04},
                               {MONTHLY, 5, 3, 5, 0x60},
                               {YEARLY, 1, 3, 0, 0}};
  int size = kernel_size(argc, argv, 60);
  uint64_t sum = KERNEL_CHECKSUM_START;
  kernel_rng rng = {19};
  check(days_of(civil, 2000, 1, 1) == 730120 && weekday(730120) == 5);
  for (int i = 0; i < size; i++) {
    int day = 230000 + (int)(kernel_rng_next(&rng) % 600000);
    test_calendars(day);
    test_texts(day, day + (int)(kernel_rng_next(&rng) % 9999), &sum);
    test_rule(&rules[i % 5], day, &sum);
  }
  printf("days: %d\n", size);
  printf("calendar checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
