// SPDX-License-Identifier: Apache-2.0
// Requests and responses in pieces of all lengths.
// Sizes: 100 600 3000

#include "app.h"

#include "llhttp.h"

static uint64_t sum = KERNEL_CHECKSUM_START;

static int on_data(llhttp_t *parser, const char *at, size_t length) {
  (void)parser;
  sum = kernel_checksum(sum, at, length);
  return 0;
}

static int on_complete(llhttp_t *parser) {
  sum = kernel_checksum_u64(sum, parser->method * 1000u + parser->status_code);
  return 0;
}

static const char *const messages[] = {
    "GET /%s/%s?q=%s HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\n"
    "Cookie: a=%s; b=2\r\nConnection: keep-alive\r\n\r\n",
    "POST /%s HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n"
    "X-%s: 1\r\n\r\n5\r\nhello\r\n3;x=%s\r\nabc\r\n0\r\n\r\n",
    "PUT /%s%%20%s HTTP/1.1\r\nUser-Agent: %s/%s (like others)\r\n"
    "Content-Length: 11\r\n\r\n0123456789x",
    "HTTP/1.1 200 OK\r\nServer: %s\r\nETag: \"%s\"\r\nVary: %s, %s\r\n"
    "Content-Length: 4\r\n\r\nbody",
};

int main(int argc, char **argv) {
  int count = kernel_size(argc, argv, 100);
  kernel_rng rng = {31};
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  settings.on_url = settings.on_header_field = on_data;
  settings.on_header_value = settings.on_body = settings.on_status = on_data;
  settings.on_message_complete = on_complete;
  llhttp_t requests, responses;
  llhttp_init(&requests, HTTP_REQUEST, &settings);
  llhttp_init(&responses, HTTP_RESPONSE, &settings);
  for (int i = 0; i < count; i++) {
    unsigned which = app_below(&rng, 4);
    char words[4][16] = {{0}}, message[512];
    for (int j = 0; j < 4; j++)
      app_word(words[j], &rng);
    size_t length = (size_t)snprintf(message, sizeof message, messages[which],
                                     words[0], words[1], words[2], words[3]);
    for (size_t at = 0; at < length;) {
      size_t piece = 1 + app_below(&rng, 200);
      if (piece > length - at)
        piece = length - at;
      llhttp_errno_t error = llhttp_execute(which == 3 ? &responses : &requests,
                                            message + at, piece);
      app_check(error == HPE_OK, llhttp_errno_name(error));
      at += piece;
    }
  }
  app_finish("llhttp", sum);
  return 0;
}
