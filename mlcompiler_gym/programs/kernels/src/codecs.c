// SPDX-License-Identifier: Apache-2.0
// Bytes as text and back: hex, base32, base64, base85, percent encoding and
// quoted-printable, and text from UTF-8 to UTF-16 and back.
// Sizes: 60 300 2000

#include "kernel.h"

enum { CODECS = 7, MAX_IN = 90, MAX_OUT = 400, LINE = 76, BAD = 0x110000 };

// What does not fit or cannot be read breaks the text.
typedef struct {
  const char *digits;
  size_t length;
  bool broken;
  uint8_t data[MAX_OUT];
} text;

typedef void convert_fn(text *out, const text *in);

#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

static const char hex[] = DIGITS "ABCDEF", known[] = "\342\202\254=b \n";

static void put(text *t, unsigned byte) {
  t->broken |= t->length == MAX_OUT;
  if (!t->broken)
    t->data[t->length++] = (uint8_t)byte;
}

static void put_pair(text *t, unsigned first, unsigned second) {
  put(t, first & 0xff);
  put(t, second & 0xff);
}

static unsigned peek(const text *t, size_t at) {
  return at < t->length ? t->data[at] : 0;
}

static int digit_value(const char *digits, unsigned c) {
  for (int i = 0; digits[i]; i++)
    if ((unsigned char)digits[i] == c)
      return i;
  return -1;
}

static unsigned digit_bits(const char *digits) {
  unsigned bits = 0;
  while (strlen(digits) >> bits > 1)
    bits++;
  return bits;
}

static void put_digit(text *out, unsigned value) {
  put(out, (unsigned char)out->digits[value]);
}

static void to_bits(text *out, const text *in) {
  unsigned held = 0, held_bits = 0, bits = digit_bits(out->digits);
  for (size_t i = 0; i < in->length; i++) {
    held = held << 8 | in->data[i];
    for (held_bits += 8; held_bits >= bits; held_bits -= bits)
      put_digit(out, held >> (held_bits - bits) & ((1u << bits) - 1));
  }
  if (held_bits)
    put_digit(out, held << (bits - held_bits) & ((1u << bits) - 1));
  while (out->length * bits % 8)
    put(out, '=');
}

// The bits left over have to be zero, and too few for a digit.
static void from_bits(text *out, const text *in) {
  unsigned held = 0, held_bits = 0, bits = digit_bits(out->digits);
  size_t length = in->length;
  while (length > 0 && in->data[length - 1] == '=')
    length--;
  for (size_t i = 0; i < length; i++) {
    int value = digit_value(out->digits, in->data[i]);
    out->broken |= value < 0;
    held = held << bits | ((unsigned)value & ((1u << bits) - 1));
    if ((held_bits += bits) >= 8)
      put(out, held >> (held_bits -= 8) & 0xff);
  }
  out->broken |= in->length * bits % 8 || held_bits >= bits;
  out->broken |= (held & ((1u << held_bits) - 1)) != 0;
}

// Four bytes are five digits; fewer are one digit more than they are bytes.
static void to_base85(text *out, const text *in) {
  for (size_t at = 0; at < in->length; at += 4) {
    uint32_t value = 0, unit = 85 * 85 * 85 * 85;
    for (size_t i = 0; i < 4; i++)
      value = value << 8 | peek(in, at + i);
    for (size_t i = 0; i < 5 && at + i <= in->length; i++, unit /= 85)
      put_digit(out, value / unit % 85);
  }
}

static void from_base85(text *out, const text *in) {
  for (size_t at = 0; at < in->length; at += 5) {
    uint64_t value = 0;
    for (size_t i = at; i < at + 5; i++) {
      int digit = i < in->length ? digit_value(out->digits, in->data[i]) : 84;
      out->broken |= digit < 0;
      value = value * 85 + (unsigned)(digit & 127);
    }
    out->broken |= at + 1 == in->length || value > UINT32_MAX;
    for (size_t i = 1; i < 5 && at + i < in->length; i++)
      put(out, (unsigned)(value >> (32 - 8 * i)) & 0xff);
  }
}

static void put_byte(text *out, unsigned byte, bool plain, char mark) {
  put(out, plain ? byte : (unsigned char)mark);
  if (!plain)
    put_pair(out, (unsigned char)hex[byte / 16], (unsigned char)hex[byte % 16]);
}

static void to_percent(text *out, const text *in) {
  for (size_t i = 0; i < in->length; i++)
    put_byte(out, in->data[i], digit_value(out->digits, in->data[i]) >= 0, '%');
}

static unsigned escaped(text *out, const text *in, size_t mark) {
  int high = digit_value(hex, peek(in, mark + 1));
  int low = digit_value(hex, peek(in, mark + 2));
  out->broken |= high < 0 || low < 0;
  return (unsigned)(high * 16 + low) & 0xff;
}

static void from_percent(text *out, const text *in) {
  for (size_t i = 0; i < in->length; i++) {
    bool mark = in->data[i] == '%';
    put(out, mark ? escaped(out, in, i) : in->data[i]);
    i += mark ? 2 : 0;
  }
}

static bool is_plain(const text *in, size_t at) {
  unsigned c = in->data[at];
  if (c == ' ')
    return at + 1 < in->length && in->data[at + 1] != '\n';
  return c > ' ' && c < 127 && c != '=';
}

// A line that gets too long ends in a mark that is taken out again.
static void to_quoted(text *out, const text *in) {
  for (size_t i = 0, start = 0; i < in->length; i++) {
    bool end = in->data[i] == '\n', plain = is_plain(in, i);
    if (!end && out->length - start + (plain ? 1 : 3) >= LINE) {
      put(out, '=');
      put_pair(out, '\r', '\n');
      start = out->length;
    }
    if (end) {
      put_pair(out, '\r', '\n');
      start = out->length;
    } else {
      put_byte(out, in->data[i], plain, '=');
    }
  }
}

static void from_quoted(text *out, const text *in) {
  for (size_t i = 0; i < in->length; i++) {
    if (in->data[i] == '=') {
      if (peek(in, i + 1) != '\r' || peek(in, i + 2) != '\n')
        put(out, escaped(out, in, i));
      i += 2;
    } else if (in->data[i] == '\r') {
      out->broken |= peek(in, ++i) != '\n';
      put(out, '\n');
    } else {
      put(out, in->data[i]);
    }
  }
}

// The bytes after the first of a character have six bits each.
static void put_utf8(text *t, unsigned c) {
  int rest = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  put(t, (rest ? 0xff00u >> (rest + 1) & 0xff : 0) | c >> 6 * rest);
  while (rest-- > 0)
    put(t, 0x80 | (c >> 6 * rest & 0x3f));
}

static unsigned get_utf8(const text *t, size_t *at) {
  static const unsigned least[] = {0, 0x80, 0x800, 0x10000};
  unsigned c = peek(t, (*at)++);
  int rest = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
  bool bad = (c >= 0x80 && c < 0xc0) || c >= 0xf8;
  c &= rest ? 0x3fu >> rest : 0x7f;
  for (int i = 0; i < rest; i++) {
    unsigned next = peek(t, (*at)++);
    bad |= next >> 6 != 2;
    c = c << 6 | (next & 0x3f);
  }
  return bad || c < least[rest] || c >> 11 == 0x1b ? BAD : c;
}

static unsigned get_unit(const text *t, size_t *at) {
  unsigned low = peek(t, (*at)++);
  return low | peek(t, (*at)++) << 8;
}

// The lower byte first; what has more than 16 bits is two surrogates.
static void to_utf16(text *out, const text *in) {
  for (size_t at = 0; at < in->length;) {
    unsigned c = get_utf8(in, &at);
    out->broken |= c >= BAD;
    if (c >= 0x10000)
      put_pair(out, 0xd7c0 + (c >> 10), (0xd7c0 + (c >> 10)) >> 8);
    c = c < 0x10000 ? c : 0xdc00 | (c & 0x3ff);
    put_pair(out, c, c >> 8);
  }
}

static void from_utf16(text *out, const text *in) {
  for (size_t at = 0; at < in->length;) {
    unsigned c = get_unit(in, &at);
    out->broken |= c >> 10 == 0x37 || at > in->length;
    if (c >> 10 == 0x36) {
      unsigned low = get_unit(in, &at);
      out->broken |= low >> 10 != 0x37;
      c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
    }
    put_utf8(out, c);
  }
}

static const struct {
  const char *name, *known, *digits;
  convert_fn *encode, *decode;
} codecs[CODECS] = {
    {"hex", "E282AC3D62200A", hex, to_bits, from_bits},
    {"base32", "4KBKYPLCEAFA====", UPPER "234567", to_bits, from_bits},
    {"base64", "4oKsPWIgCg==", UPPER LOWER DIGITS "+/", to_bits, from_bits},
    {"base85", ";)1L_Vjv0", DIGITS UPPER LOWER "!#$%&()*+-;<=>?@^_`{|}~",
     to_base85, from_base85},
    {"percent", "%E2%82%AC%3Db%20%0A", UPPER LOWER DIGITS "-._~", to_percent,
     from_percent},
    {"quoted", "=E2=82=AC=3Db=20\r\n", "", to_quoted, from_quoted},
    {"utf16", "\254\40=", "", to_utf16, from_utf16},
};

static bool decodes_to(const text *coded, const text *plain, int codec) {
  text back = {.digits = codecs[codec].digits};
  codecs[codec].decode(&back, coded);
  return !back.broken && back.length == plain->length &&
         !memcmp(back.data, plain->data, back.length);
}

static text run(int codec, const text *plain) {
  text coded = {.digits = codecs[codec].digits}, damaged;
  codecs[codec].encode(&coded, plain);
  damaged = coded;
  damaged.data[plain->length % coded.length] ^= 0x80;
  if (coded.broken || !decodes_to(&coded, plain, codec) ||
      decodes_to(&damaged, plain, codec))
    exit(1);
  return coded;
}

// Characters of any length in UTF-8, and often plain ones.
static void make_text(text *t, kernel_rng *rng) {
  size_t length = 1 + kernel_rng_next(rng) % MAX_IN;
  for (t->length = 0; t->length < length;) {
    uint64_t bits = kernel_rng_next(rng);
    unsigned c = (unsigned)(bits >> 32) >> (11 + bits % 20);
    put_utf8(t, c >= BAD || c >> 11 == 0x1b ? '\n' : c);
  }
}

int main(int argc, char **argv) {
  int size = kernel_size(argc, argv, 300);
  for (int codec = 0; codec < CODECS; codec++) {
    uint64_t sum = KERNEL_CHECKSUM_START;
    kernel_rng rng = {37};
    text plain = {.length = strlen(known)};
    memcpy(plain.data, known, plain.length);
    text coded = run(codec, &plain);
    if (memcmp(coded.data, codecs[codec].known, strlen(codecs[codec].known)))
      exit(2);
    for (int i = 0; i < size; i++) {
      make_text(&plain, &rng);
      coded = run(codec, &plain);
      sum = kernel_checksum(sum, coded.data, coded.length);
    }
    printf("%s checksum %016llx\n", codecs[codec].name,
           (unsigned long long)sum);
  }
  return 0;
}
