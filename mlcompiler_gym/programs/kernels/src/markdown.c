// SPDX-License-Identifier: Apache-2.0
// A subset of Markdown to HTML, and a check that the tags are balanced.
// Sizes: 8 40 300

#include "kernel.h"

enum { MAX_DEPTH = 16 };

typedef struct {
  char *data;
  size_t length, capacity;
} text;

typedef struct {
  const char *at, *end; // not its own
} slice;

static void put_char(text *t, char c) {
  if (t->length == t->capacity) {
    t->capacity = 2 * t->capacity + 64;
    t->data = realloc(t->data, t->capacity);
    if (!t->data)
      abort();
  }
  t->data[t->length++] = c;
}

static void put(text *t, const char *from) {
  while (*from)
    put_char(t, *from++);
}

static void put_tag(text *t, const char *open, const char *name,
                    const char *close) {
  put(t, open);
  put(t, name);
  put(t, close);
}

static void put_escaped(text *t, slice s) {
  static const char *const entities[] = {"<lt;", ">gt;", "&amp;", "\"quot;"};
  for (; s.at < s.end; s.at++) {
    int i = 0;
    while (i < 4 && *entities[i] != *s.at)
      i++;
    put_char(t, i < 4 ? '&' : *s.at);
    put(t, i < 4 ? entities[i] + 1 : "");
  }
}

static char first(slice s) { return s.at < s.end ? *s.at : '\n'; }

static bool starts(slice s, const char *with) {
  size_t length = strlen(with);
  return (size_t)(s.end - s.at) >= length && !memcmp(s.at, with, length);
}

static slice skip(slice s, size_t n) { return (slice){s.at + n, s.end}; }

static slice skip_all(slice s, char c) {
  while (first(s) == c)
    s.at++;
  return s;
}

static slice trim(slice s) {
  s = skip_all(s, ' ');
  while (s.at < s.end && (s.end[-1] == ' ' || s.end[-1] == '\n'))
    s.end--;
  return s;
}

// Takes a line, without its newline, off the front.
static slice take_line(slice *s) {
  slice line = {s->at, s->at};
  while (line.end < s->end && *line.end != '\n')
    line.end++;
  s->at = line.end + (line.end < s->end);
  return line;
}

static bool is_blank(slice s) { return first(skip_all(s, ' ')) == '\n'; }

// Where a mark is next, from a place on; null if it is nowhere.
static const char *find(slice s, const char *mark) {
  for (; s.at < s.end; s.at++)
    if (*s.at == '\\' && s.end - s.at > 1)
      s.at++;
    else if (starts(s, mark))
      return s.at;
  return 0;
}

static void spans(text *out, slice s, int depth);
static void blocks(text *out, slice s);

// Puts the span that a mark begins and ends, and tells whether there is one.
static bool put_marked(text *out, slice *s, const char *mark, const char *name,
                       int depth) {
  size_t length = strlen(mark);
  if (!starts(*s, mark) || depth == MAX_DEPTH)
    return false;
  slice inner = skip(*s, length);
  inner.end = find(inner, mark);
  if (!inner.end || inner.end == inner.at)
    return false;
  put_tag(out, "<", name, ">");
  if (*mark == '`')
    put_escaped(out, inner);
  else
    spans(out, inner, depth + 1);
  put_tag(out, "</", name, ">");
  s->at = inner.end + length;
  return true;
}

static bool put_link(text *out, slice *s, int depth) {
  slice label = skip(*s, 1);
  label.end = first(*s) == '[' && depth < MAX_DEPTH ? find(label, "](") : 0;
  slice address = {label.end ? label.end + 2 : s->end, s->end};
  address.end = find(address, ")");
  if (!label.end || !address.end)
    return false;
  put(out, "<a href=\"");
  put_escaped(out, address);
  put(out, "\">");
  spans(out, label, depth + 1);
  put(out, "</a>");
  s->at = address.end + 1;
  return true;
}

static void spans(text *out, slice s, int depth) {
  while (s.at < s.end) {
    bool escape = *s.at == '\\' && s.end - s.at > 1;
    if (!escape &&
        (put_marked(out, &s, "`", "code", depth) ||
         put_marked(out, &s, "**", "strong", depth) ||
         put_marked(out, &s, "*", "em", depth) ||
         put_marked(out, &s, "~~", "del", depth) || put_link(out, &s, depth)))
      continue;
    s.at += escape;
    put_escaped(out, (slice){s.at, s.at + 1});
    s.at++;
  }
}

static void put_block(text *out, const char *name, slice s) {
  put_tag(out, "<", name, ">");
  spans(out, trim(s), 0);
  put_tag(out, "</", name, ">\n");
}

static bool heading(text *out, slice *s) {
  size_t level = (size_t)(skip_all(*s, '#').at - s->at);
  char name[] = {'h', (char)('0' + level % 10), 0};
  if (!level || level > 6 || first(skip(*s, level)) != ' ')
    return false;
  put_block(out, name, skip(take_line(s), level));
  return true;
}

static bool fence(text *out, slice *s) {
  if (!starts(*s, "```"))
    return false;
  take_line(s);
  put(out, "<pre><code>");
  while (s->at < s->end && !starts(*s, "```")) {
    put_escaped(out, take_line(s));
    put_char(out, '\n');
  }
  take_line(s);
  put(out, "</code></pre>\n");
  return true;
}

// The length of what makes a line part of a quote or begins a list item.
static size_t marker(slice line, char kind) {
  if (kind == '>')
    return first(line) == '>' ? 1u + (first(skip(line, 1)) == ' ') : 0;
  if (kind == '-')
    return starts(line, "- ") ? 2 : 0;
  bool digit = first(line) >= '0' && first(line) <= '9';
  return digit && starts(skip(line, 1), ". ") ? 3 : 0;
}

// A quote, or a list whose items go on in lines that are indented by two.
static bool container(text *out, slice *s, char kind) {
  const char *name = kind == '>' ? "blockquote" : kind == '-' ? "ul" : "ol";
  if (!marker(*s, kind))
    return false;
  put_tag(out, "<", name, ">\n");
  for (size_t dropped; (dropped = marker(*s, kind));) {
    text inner = {0};
    do {
      for (slice line = skip(take_line(s), dropped); line.at < line.end;)
        put_char(&inner, *line.at++);
      put_char(&inner, '\n');
      dropped = kind == '>' ? marker(*s, kind) : starts(*s, "  ") ? 2 : 0;
    } while (dropped);
    put(out, kind == '>' ? "" : "<li>");
    blocks(out, (slice){inner.data, inner.data + inner.length});
    put(out, kind == '>' ? "" : "</li>\n");
    free(inner.data);
  }
  put_tag(out, "</", name, ">\n");
  return true;
}

static void paragraph(text *out, slice *s) {
  slice whole = *s;
  do
    whole.end = take_line(s).end;
  while (s->at < s->end && !is_blank(*s) && first(*s) != '#' &&
         first(*s) != '>' && !starts(*s, "```") && !marker(*s, '-'));
  put_block(out, "p", whole);
}

static void blocks(text *out, slice s) {
  while (s.at < s.end) {
    if (is_blank(s))
      take_line(&s);
    else if (!heading(out, &s) && !fence(out, &s) && !container(out, &s, '>') &&
             !container(out, &s, '-') && !container(out, &s, '1'))
      paragraph(out, &s);
  }
}

// Takes all up to the end of the next tag, which is empty if there is none.
static slice next_tag(slice *s) {
  while (s->at < s->end && *s->at != '<')
    s->at++;
  slice tag = *s;
  while (s->at < s->end && *s->at != '>')
    s->at++;
  tag.end = s->at;
  return tag;
}

static bool is_balanced(slice s) {
  slice open[8 * MAX_DEPTH], tag;
  int depth = 0;
  while ((tag = next_tag(&s)).at < tag.end)
    if (first(skip(tag, 1)) != '/' && depth < 8 * MAX_DEPTH)
      open[depth++] = tag;
    else if (!depth || memcmp(open[--depth].at + 1, tag.at + 2,
                              (size_t)(tag.end - tag.at) - 2))
      return false;
  return depth == 0;
}

static const char *const cases[][2] = {
    {"# *b* & `<c>`", "<h1><em>b</em> &amp; <code>&lt;c&gt;</code></h1>\n"},
    {"- a\n  > b", "<ul>\n<li><p>a</p>\n<blockquote>\n<p>b</p>\n</"
                   "blockquote>\n</li>\n</ul>\n"},
    {"1. [x~~y~~](z\"u)",
     "<ol>\n<li><p><a href=\"z&quot;u\">x<del>y</del></a></p>\n</li>\n</ol>\n"},
    {"> ```\n> *a*\n\nb",
     "<blockquote>\n<pre><code>*a*\n</code></pre>\n</blockquote>\n<p>b</p>\n"}};

static void make_document(text *t, kernel_rng *rng) {
  static const char *const pieces[] = {
      "word ", "*",     "**",    "`",       "~~",   "[",    "](u)",
      "<b>",   " & ",   "\\",    "\n",      "\n\n", "\n- ", "\n> ",
      "\n  ",  "\n1. ", "\n## ", "\n```\n", "\""};
  for (t->length = 0; t->length < 3000;)
    put(t, pieces[kernel_rng_next(rng) % 19]);
}

static uint64_t render(text *out, slice s, uint64_t sum) {
  out->length = 0;
  blocks(out, s);
  if (!is_balanced((slice){out->data, out->data + out->length}))
    abort();
  return kernel_checksum(sum, out->data, out->length);
}

int main(int argc, char **argv) {
  int size = kernel_size(argc, argv, 40);
  uint64_t sum = KERNEL_CHECKSUM_START;
  kernel_rng rng = {37};
  text in = {0}, out = {0};
  for (int i = 0; i < 4; i++) {
    render(&out, (slice){cases[i][0], cases[i][0] + strlen(cases[i][0])}, 0);
    put_char(&out, 0);
    if (strcmp(out.data, cases[i][1]))
      abort();
  }
  for (int i = 0; i < size; i++) {
    make_document(&in, &rng);
    sum = render(&out, (slice){in.data, in.data + in.length}, sum);
  }
  printf("%d documents\nmarkdown checksum %016llx\n", size,
         (unsigned long long)sum);
  free(in.data);
  free(out.data);
  return 0;
}
