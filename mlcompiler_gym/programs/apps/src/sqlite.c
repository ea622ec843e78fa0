// SPDX-License-Identifier: Apache-2.0
// A database in memory: tables, indices, joins, windows, JSON and text.
// Sizes: 100 600 3000

#include "app.h"

#include "sqlite3.h"

static uint64_t sum = KERNEL_CHECKSUM_START;

static int add_row(void *data, int columns, char **values, char **names) {
  (void)data;
  (void)names;
  for (int i = 0; i < columns; i++)
    if (values[i])
      sum = kernel_checksum(sum, values[i], strlen(values[i]) + 1);
  return 0;
}

static void execute(sqlite3 *database, const char *statement) {
  if (sqlite3_exec(database, statement, add_row, NULL, NULL) != SQLITE_OK)
    app_check(false, sqlite3_errmsg(database));
}

int main(int argc, char **argv) {
  int rows = kernel_size(argc, argv, 100);
  kernel_rng rng = {17};
  sqlite3 *database;
  app_check(sqlite3_open(":memory:", &database) == SQLITE_OK, "open");
  execute(database,
          "CREATE TABLE people(id INTEGER PRIMARY KEY, name TEXT, age INT);"
          "CREATE TABLE orders(id INTEGER PRIMARY KEY, who INT, what TEXT,"
          " price REAL, CHECK(price >= 0));"
          "CREATE TABLE log(what TEXT);"
          "CREATE TRIGGER noted AFTER DELETE ON orders BEGIN"
          " INSERT INTO log VALUES(OLD.what); END;"
          "BEGIN");
  sqlite3_stmt *insert;
  app_check(sqlite3_prepare_v2(database,
                               "INSERT INTO people(name, age) VALUES(?, ?)", -1,
                               &insert, NULL) == SQLITE_OK,
            "prepare");
  for (int i = 0; i < rows; i++) {
    char name[16] = {0};
    sqlite3_bind_text(insert, 1, name, (int)app_word(name, &rng),
                      SQLITE_TRANSIENT);
    sqlite3_bind_int(insert, 2, (int)app_below(&rng, 90));
    app_check(sqlite3_step(insert) == SQLITE_DONE, "insert");
    sqlite3_reset(insert);
  }
  sqlite3_finalize(insert);
  app_check(
      sqlite3_prepare_v2(database,
                         "INSERT INTO orders(who, what, price) VALUES(?, ?, ?)",
                         -1, &insert, NULL) == SQLITE_OK,
      "prepare");
  for (int i = 0; i < 3 * rows; i++) {
    char what[16] = {0};
    sqlite3_bind_int(insert, 1, (int)app_below(&rng, (unsigned)rows) + 1);
    sqlite3_bind_text(insert, 2, what, (int)app_word(what, &rng),
                      SQLITE_TRANSIENT);
    sqlite3_bind_double(insert, 3, app_below(&rng, 10000) / 4.0);
    app_check(sqlite3_step(insert) == SQLITE_DONE, "insert");
    sqlite3_reset(insert);
  }
  sqlite3_finalize(insert);
  execute(database, "COMMIT;"
                    "CREATE INDEX by_who ON orders(who);"
                    "CREATE INDEX by_name ON people(name, age DESC);");
  execute(database,
          "SELECT age / 10, count(*), sum(price) FROM people JOIN orders"
          " ON who = people.id GROUP BY 1 HAVING count(*) > 1 ORDER BY 3");
  execute(database,
          "SELECT name, total, rank() OVER (ORDER BY total DESC) FROM"
          " (SELECT name, sum(price) AS total FROM people JOIN orders ON"
          " who = people.id GROUP BY name) ORDER BY 3, 1 LIMIT 50");
  execute(database,
          "WITH RECURSIVE n(i, s) AS (VALUES(1, 'a') UNION ALL SELECT"
          " i + 1, substr(s || upper(char(97 + i % 26)), -9) FROM n WHERE"
          " i < 300) SELECT group_concat(s, ',') FROM n WHERE i % 3 = 0");
  execute(database,
          "SELECT count(*) FROM orders WHERE what LIKE '%ka%' AND what"
          " NOT IN (SELECT name FROM people WHERE age < 30)");
  execute(database,
          "SELECT json_extract(j, '$.b[1].c'), length(j) FROM (SELECT"
          " json_object('a', id, 'b', json_array(age, json_object('c',"
          " name))) AS j FROM people) ORDER BY 1, 2 LIMIT 40");
  execute(database, "UPDATE orders SET price = price * 1.25 WHERE who % 3 = 0;"
                    "DELETE FROM orders WHERE price < 300;"
                    "SELECT count(*), sum(length(what)) FROM log;"
                    "PRAGMA integrity_check");
  sqlite3_close(database);
  app_finish("sqlite", sum);
  return 0;
}
