#include "oracle.hpp"

#include <deque>
#include <nlohmann/json.hpp>

#include "golden.hpp"

namespace oracle {

number power(number base, std::uint64_t exponent) {
  number out = 1;
  for (; exponent != 0; exponent /= 2) {
    if (exponent % 2 == 1) {
      out = out * base % p;
    }
    base = base * base % p;
  }
  return out;
}

number inverse(number a) {
  return power(a, p - 2);
}

number root(unsigned bits) {
  return power(3, (p - 1) >> bits);
}

std::size_t reversed(std::size_t i, unsigned bits) {
  std::size_t out = 0;
  for (unsigned k = 0; k < bits; ++k) {
    out = 2 * out + (i >> k) % 2;
  }
  return out;
}

quartic add(const quartic& a, const quartic& b) {
  quartic out;
  for (std::size_t i = 0; i < 4; ++i) {
    out[i] = (a[i] + b[i]) % p;
  }
  return out;
}

quartic multiply(const quartic& a, const quartic& b) {
  std::array<number, 7> product{};
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 4; ++j) {
      product[i + j] = (product[i + j] + a[i] * b[j]) % p;
    }
  }
  for (std::size_t i = 0; i < 3; ++i) {
    product[i] = (product[i] + 3 * product[i + 4]) % p;
  }
  return {product[0], product[1], product[2], product[3]};
}

quartic power(quartic base, number exponent) {
  quartic out = {1, 0, 0, 0};
  for (; exponent != 0; exponent /= 2) {
    if (exponent % 2 == 1) {
      out = multiply(out, base);
    }
    base = multiply(base, base);
  }
  return out;
}

namespace {

unsigned log2_of(std::size_t n) {
  unsigned out = 0;
  while (std::size_t{1} << out < n) {
    ++out;
  }
  return out;
}

}  // namespace

column interpolate(const column& values, number shift) {
  const std::size_t n = values.size();
  const number back = inverse(root(log2_of(n)));
  column out(n);
  for (std::size_t k = 0; k < n; ++k) {
    number sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      sum = (sum + values[i] * power(back, i * k % n)) % p;
    }
    out[k] = sum * inverse(n) % p * power(inverse(shift), k) % p;
  }
  return out;
}

number evaluate(const column& coefficients, number x) {
  number out = 0;
  for (std::size_t k = coefficients.size(); k-- > 0;) {
    out = (out * x + coefficients[k]) % p;
  }
  return out;
}

quartic evaluate(const std::vector<quartic>& coefficients, const quartic& x) {
  quartic out{};
  for (std::size_t k = coefficients.size(); k-- > 0;) {
    out = add(multiply(out, x), coefficients[k]);
  }
  return out;
}

column extend(const column& values, number shift) {
  const column coefficients = interpolate(values, shift);
  const unsigned bits = log2_of(values.size()) + 1;
  column out(2 * values.size());
  for (std::size_t r = 0; r < out.size(); ++r) {
    out[r] =
        evaluate(coefficients, 3 * power(root(bits), reversed(r, bits)) % p);
  }
  return out;
}

namespace {

const nlohmann::json& constants(std::size_t width) {
  static const auto all =
      nlohmann::json::parse(read_vector("koalabear_poseidon2_constants.json"));
  return all.at(std::to_string(width));
}

// Row after row.
using square = std::vector<number>;

std::vector<number> times(const square& matrix, const std::vector<number>& x) {
  std::vector<number> out(x.size(), 0);
  for (std::size_t i = 0; i < matrix.size(); ++i) {
    number& sum = out[i / x.size()];
    sum = (sum + matrix[i] * x[i % x.size()]) % p;
  }
  return out;
}

// circ(2 M, M, ..., M), with M the small matrix.
square external_matrix(std::size_t width) {
  constexpr number small[4][4] = {
      {2, 3, 1, 1}, {1, 2, 3, 1}, {1, 1, 2, 3}, {3, 1, 1, 2}};
  square out;
  for (std::size_t i = 0; i < width; ++i) {
    for (std::size_t j = 0; j < width; ++j) {
      out.push_back(small[i % 4][j % 4] * (i / 4 == j / 4 ? 2 : 1));
    }
  }
  return out;
}

// All ones, and the diagonal added.
square internal_matrix(std::size_t width) {
  const auto& diagonal = constants(width).at("internal_diag_minus_one");
  square out(width * width, 1);
  for (std::size_t i = 0; i < width; ++i) {
    out[i * width + i] += diagonal.at(i).get<number>();
  }
  return out;
}

}  // namespace

std::vector<number> permute(std::vector<number> x) {
  const auto& table = constants(x.size());
  const auto external = external_matrix(x.size());
  const auto internal = internal_matrix(x.size());
  const auto full_round = [&](const nlohmann::json& round) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = power(x[i] + round.at(i).get<number>(), 3);
    }
    x = times(external, x);
  };
  x = times(external, x);
  for (const auto& round : table.at("external_initial")) {
    full_round(round);
  }
  for (const auto& constant : table.at("internal")) {
    x[0] = power(x[0] + constant.get<number>(), 3);
    x = times(internal, x);
  }
  for (const auto& round : table.at("external_final")) {
    full_round(round);
  }
  return x;
}

hash hash_row(const std::vector<number>& row) {
  std::vector<number> state(24, 0);
  for (std::size_t i = 0; i < row.size(); i += 16) {
    for (std::size_t j = i; j < row.size() && j < i + 16; ++j) {
      state[j - i] = row[j];
    }
    state = permute(state);
  }
  state.resize(8);
  return state;
}

hash compress(const hash& left, const hash& right) {
  hash state = left;
  state.insert(state.end(), right.begin(), right.end());
  state = permute(state);
  state.resize(8);
  return state;
}

std::vector<number> grain(unsigned width, unsigned full_rounds,
                          unsigned partial_rounds, std::size_t count) {
  constexpr unsigned field_bits = 31;
  std::deque<unsigned> bits;
  const auto push = [&](number value, unsigned length) {
    for (unsigned i = length; i-- > 0;) {
      bits.push_back(value >> i & 1);
    }
  };
  push(1, 2);  // a prime field
  push(0, 4);  // the S-box is a power
  push(field_bits, 12);
  push(width, 12);
  push(full_rounds, 10);
  push(partial_rounds, 10);
  push((1 << 30) - 1, 30);
  const auto step = [&] {
    const unsigned next =
        bits[62] ^ bits[51] ^ bits[38] ^ bits[23] ^ bits[13] ^ bits[0];
    bits.pop_front();
    bits.push_back(next);
    return next;
  };
  for (int i = 0; i < 160; ++i) {
    step();
  }
  std::vector<number> out;
  while (out.size() < count) {
    number value = 0;
    for (unsigned taken = 0; taken < field_bits;) {
      const unsigned keep = step();
      const unsigned bit = step();
      if (keep == 1) {
        value = 2 * value + bit;
        ++taken;
      }
    }
    if (value < p) {
      out.push_back(value);
    }
  }
  return out;
}

namespace {

// Bits first..first + 29 of the row, counted from its first byte's lowest one
// within each 15 bytes.
std::vector<number> lanes_of(const std::vector<unsigned char>& data,
                             std::size_t from) {
  std::vector<number> out(16, 0);
  for (std::size_t bit = 0; bit < 16 * 30; ++bit) {
    const std::size_t at = from + bit / 8;
    if (at < data.size() && (data[at] >> bit % 8) % 2 == 1) {
      out[bit / 30] += number{1} << bit % 30;
    }
  }
  return out;
}

}  // namespace

hash digest(const std::vector<unsigned char>& data, std::uint64_t index,
            bool last) {
  std::size_t leaves = 1;
  number log_rows = 8;
  for (; leaves * 15300 < data.size(); leaves *= 2) {
    ++log_rows;
  }
  constexpr number mask = (1 << 30) - 1;
  std::vector<number> top = {
      0x4e585001,  data.size() & mask, data.size() >> 30, index & mask,
      index >> 30, number{last},       log_rows,          0};
  std::vector<number> root;
  for (std::size_t leaf = 0; leaf < leaves; ++leaf) {
    std::vector<number> state(24, 0);
    state[16] = 0x4c454146;
    for (std::size_t row = 0; row < 255; ++row) {
      const auto lanes = lanes_of(data, (leaf * 255 + row) * 60);
      std::copy(lanes.begin(), lanes.end(), state.begin());
      state = permute(state);
    }
    state.resize(8);
    state.resize(16, 0);
    state.insert(state.end(), top.begin(), top.end());
    root = permute(state);
    top.assign(root.begin() + 16, root.end());
  }
  root.resize(8);
  return root;
}

}  // namespace oracle
