// SPDX-License-Identifier: Apache-2.0
// Chess: a bitboard move generator with make and unmake, held against known
// perft counts, and random games played to and fro.
// Sizes: 1500 9500 65000

#include "kernel.h"

typedef uint64_t bits;

enum { WHITE, BLACK, NO_SQUARE = 64, MAX_MOVES = 224, DEPTHS = 4 };
enum { PAWN, KNIGHT, BISHOP, ROOK, QUEEN, KING, NO_PIECE };
enum { PLAIN, DOUBLE_STEP, EN_PASSANT, CASTLE };

typedef struct {
  int from, to, piece, captured, promotion, kind;
} move;

typedef struct {
  int count;
  move moves[MAX_MOVES];
} move_list;

// What a move destroys besides the piece it captures: castling rights, KQkq
// from the lowest bit, and the square a pawn has just jumped over, if any.
typedef struct {
  int rights, passed;
} state;

typedef struct {
  bits pieces[2][6], all[2];
  int side;
  state now;
} board;

// Directions 0 to 3 lead to higher squares, 4 to 7 are their opposites.
static bits rays[8][64], knight_jumps[64], king_steps[64];

static bits bit(int square) { return (bits)1 << square; }

static int lowest(bits set) { return __builtin_ctzll(set); }

static int pop(bits *set) {
  int square = lowest(*set);
  *set &= *set - 1;
  return square;
}

// The square at these coordinates, as a set: empty if it is off the board.
static bits bit_at(int x, int y) {
  return x >= 0 && x < 8 && y >= 0 && y < 8 ? bit(8 * y + x) : 0;
}

static void init_square(int x, int y) {
  static const int dx[8] = {0, 1, 1, -1, 0, -1, -1, 1};
  static const int dy[8] = {1, 0, 1, 1, -1, 0, -1, -1};
  int square = 8 * y + x;
  for (int d = 0; d < 8; d++) {
    king_steps[square] |= bit_at(x + dx[d], y + dy[d]);
    for (int n = 1; n < 8; n++)
      rays[d][square] |= bit_at(x + n * dx[d], y + n * dy[d]);
    // A knight goes one diagonal step and one more straight on, either way.
    if (dx[d] && dy[d])
      knight_jumps[square] |=
          bit_at(x + 2 * dx[d], y + dy[d]) | bit_at(x + dx[d], y + 2 * dy[d]);
  }
}

static bits ray_attacks(int d, int square, bits all) {
  bits ray = rays[d][square], blockers = ray & all;
  if (!blockers)
    return ray;
  int first = d < 4 ? lowest(blockers) : 63 - __builtin_clzll(blockers);
  return ray ^ rays[d][first];
}

static bits slider_attacks(int d, int square, bits all) {
  return ray_attacks(d, square, all) | ray_attacks(d + 1, square, all) |
         ray_attacks(d + 4, square, all) | ray_attacks(d + 5, square, all);
}

static bits attacks(int piece, int square, bits all) {
  switch (piece) {
  case KNIGHT:
    return knight_jumps[square];
  case BISHOP:
    return slider_attacks(2, square, all);
  case ROOK:
    return slider_attacks(0, square, all);
  case QUEEN:
    return slider_attacks(2, square, all) | slider_attacks(0, square, all);
  }
  return king_steps[square];
}

static bits pawn_attacks(int side, bits pawns) {
  bits west = pawns & ~(bits)0x0101010101010101;
  bits east = pawns & ~(bits)0x8080808080808080;
  return side == WHITE ? west << 7 | east << 9 : west >> 9 | east >> 7;
}

static bits occupied(const board *b) { return b->all[0] | b->all[1]; }

static bool attacked(const board *b, int square, int by) {
  bits hit = pawn_attacks(!by, bit(square)) & b->pieces[by][PAWN];
  for (int piece = KNIGHT; !hit && piece <= KING; piece++)
    if (b->pieces[by][piece])
      hit = attacks(piece, square, occupied(b)) & b->pieces[by][piece];
  return hit;
}

static bool in_check(const board *b, int side) {
  return attacked(b, lowest(b->pieces[side][KING]), !side);
}

static int piece_at(const board *b, int side, int square) {
  int piece = b->all[side] & bit(square) ? PAWN : NO_PIECE;
  while (piece < NO_PIECE && !(b->pieces[side][piece] & bit(square)))
    piece++;
  return piece;
}

static void toggle(board *b, int side, int piece, int square) {
  b->pieces[side][piece] ^= bit(square);
  b->all[side] ^= bit(square);
}

// Rights lost when something moves from or to a king's or a rook's own square.
static const int rights_lost[64] = {[0] = 2,  [4] = 3,   [7] = 1,
                                    [56] = 8, [60] = 12, [63] = 4};

// Moves the pieces; doing it twice undoes it.
static void apply(board *b, const move *m) {
  int side = b->side, behind = m->to + (side == WHITE ? -8 : 8);
  toggle(b, side, m->piece, m->from);
  if (m->captured != NO_PIECE)
    toggle(b, !side, m->captured, m->kind == EN_PASSANT ? behind : m->to);
  toggle(b, side, m->promotion, m->to);
  if (m->kind == CASTLE) {
    toggle(b, side, ROOK, m->to > m->from ? m->to + 1 : m->to - 2);
    toggle(b, side, ROOK, (m->from + m->to) / 2);
  }
}

static void unmake(board *b, const move *m, state before) {
  b->side = !b->side;
  apply(b, m);
  b->now = before;
}

// Makes a move, and takes it back at once if it leaves the king in check.
static bool make(board *b, const move *m) {
  state before = b->now;
  apply(b, m);
  b->now.rights &= ~(rights_lost[m->from] | rights_lost[m->to]);
  b->now.passed = m->kind == DOUBLE_STEP ? (m->from + m->to) / 2 : NO_SQUARE;
  b->side = !b->side;
  if (!in_check(b, !b->side))
    return true;
  unmake(b, m, before);
  return false;
}

static move *add(const board *b, move_list *list, int piece, int from, int to) {
  move *m = &list->moves[list->count++];
  *m = (move){from, to, piece, piece_at(b, !b->side, to), piece, PLAIN};
  return m;
}

static void add_pawn_moves(const board *b, move_list *list, int from, bits to) {
  while (to) {
    int square = pop(&to), last = square < 8 || square >= 56;
    for (int piece = last ? KNIGHT : PAWN; piece <= (last ? QUEEN : PAWN);
         piece++)
      add(b, list, PAWN, from, square)->promotion = piece;
  }
}

static void pawn_moves(const board *b, move_list *list) {
  int forward = b->side == WHITE ? 8 : -8, home = b->side == WHITE ? 1 : 6;
  for (bits pawns = b->pieces[b->side][PAWN]; pawns;) {
    int from = pop(&pawns), to = from + forward;
    bits hits = pawn_attacks(b->side, bit(from)), all = occupied(b);
    add_pawn_moves(b, list, from, (hits & b->all[!b->side]) | (bit(to) & ~all));
    if (from >> 3 == home && !(all & (bit(to) | bit(to + forward))))
      add(b, list, PAWN, from, to + forward)->kind = DOUBLE_STEP;
    if (b->now.passed != NO_SQUARE && hits & bit(b->now.passed))
      *add(b, list, PAWN, from, b->now.passed) =
          (move){from, b->now.passed, PAWN, PAWN, PAWN, EN_PASSANT};
  }
}

static void piece_moves(const board *b, move_list *list, int piece) {
  for (bits from = b->pieces[b->side][piece]; from;) {
    int square = pop(&from);
    bits to = attacks(piece, square, occupied(b)) & ~b->all[b->side];
    while (to)
      add(b, list, piece, square, pop(&to));
  }
}

static void castle(const board *b, move_list *list, int right, int toward) {
  int king = b->side == WHITE ? 4 : 60, to = king + 2 * toward;
  bits between = bit(king + toward) | bit(to) | (toward < 0 ? bit(to - 1) : 0);
  if (b->now.rights >> 2 * b->side & right && !(occupied(b) & between) &&
      !in_check(b, b->side) && !attacked(b, king + toward, !b->side))
    add(b, list, KING, king, to)->kind = CASTLE;
}

static void generate(const board *b, move_list *list) {
  list->count = 0;
  pawn_moves(b, list);
  for (int piece = KNIGHT; piece <= KING; piece++)
    piece_moves(b, list, piece);
  castle(b, list, 1, 1);
  castle(b, list, 2, -1);
}

static int perft(board *b, int depth) {
  move_list list;
  int nodes = 0;
  state before = b->now;
  generate(b, &list);
  for (int i = 0; i < list.count; i++)
    if (make(b, &list.moves[i])) {
      nodes += depth > 1 ? perft(b, depth - 1) : 1;
      unmake(b, &list.moves[i], before);
    }
  return nodes;
}

// Plays until it picks an illegal move, then takes all back and checks that.
static uint64_t play(board *b, kernel_rng *rng, int plies, uint64_t sum) {
  move_list list;
  board old = *b;
  generate(b, &list);
  if (!list.count)
    return sum;
  move *m = &list.moves[kernel_rng_next(rng) % (unsigned)list.count];
  if (plies && make(b, m)) {
    sum = kernel_checksum_u64(sum, occupied(b) ^ (unsigned)b->now.rights);
    sum = play(b, rng, plies - 1, sum);
    unmake(b, m, old.now);
  }
  if (memcmp(b->pieces, old.pieces, sizeof old.pieces) || b->side != old.side)
    abort();
  return sum;
}

static int index_of(const char *text, int c) {
  return *text == c ? 0 : 1 + index_of(text + 1, c);
}

// Reads placement, side and castling rights as FEN has them.
static board load(const char *fen) {
  board b = {.now = {0, NO_SQUARE}};
  for (int square = 56; *fen != ' '; fen++)
    if (*fen == '/')
      square -= 16;
    else if (*fen <= '8')
      square += *fen - '0';
    else
      toggle(&b, *fen >= 'a', index_of("pnbrqk", *fen | 32), square++);
  b.side = fen[1] == 'b';
  for (fen += 3; *fen; fen++)
    b.now.rights |= (1 << index_of("KQkq-", *fen)) & 15;
  return b;
}

static const struct {
  const char *fen;
  int nodes[DEPTHS];
} positions[] = {
    {"r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq",
     {48, 2039, 97862, 4085603}},
    {"8/2p5/3p4/KP5r/1R3p1k/8/4P1P1/8 w -", {14, 191, 2812, 43238}},
    {"rnbq1k1r/pp1Pbppp/2p5/8/2B5/8/PPP1NnPP/RNBQK2R w KQ",
     {44, 1486, 62379, 2103487}}};

int main(int argc, char **argv) {
  int size = kernel_size(argc, argv, 9500);
  uint64_t sum = KERNEL_CHECKSUM_START;
  kernel_rng rng = {11};
  for (int square = 0; square < 64; square++)
    init_square(square & 7, square >> 3);
  for (int i = 0; i < 3; i++) {
    board b = load(positions[i].fen);
    for (int d = 0; d < DEPTHS && positions[i].nodes[d] <= size; d++) {
      int nodes = perft(&b, d + 1);
      printf("position %d depth %d: %d\n", i, d + 1, nodes);
      if (nodes != positions[i].nodes[d])
        exit(1);
    }
    for (int game = 0; game < size / 60; game++)
      sum = play(&b, &rng, 30, sum);
  }
  printf("chess checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
