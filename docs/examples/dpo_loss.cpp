// A DPO loss in C++ that dpo-conformance judges (docs/process.md), in float32 and float64, with the C library's exp and log1p.
//
//     g++ -O2 -std=c++17 -o dpo_loss docs/examples/dpo_loss.cpp
//     dpo-conformance run 'process:./dpo_loss' --dtype float32 --dtype float64
//     dpo-conformance run 'process:./dpo_loss --naive' --dtype float32 --dtype float64     # violated
//
// It needs no JSON library: the suite's requests are single lines of ASCII in which no key occurs twice and no string holds
// a quotation mark, so that a value is found by its key.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <string>

static bool naive = false;

// -- the loss that is judged ------------------------------------------------------------------------------------------

template <typename T> T softplus(T x) { return (x > 0 ? x : T(0)) + std::log1p(std::exp(-std::abs(x))); }

template <typename T> T sigmoid(T x) {
    T y = std::exp(-std::abs(x));
    return (x >= 0 ? T(1) : x < 0 ? y : x) / (T(1) + y);  // a NaN x stays one
}

template <typename T> T loss(T z, T eps) {
    if (naive) {  // as tutorials write it: wrong in both tails, and 0 * inf where a response is impossible
        auto log_sigmoid = [](T x) { return std::log(T(1) / (T(1) + std::exp(-x))); };
        return -(T(1) - eps) * log_sigmoid(z) - eps * log_sigmoid(-z);
    }
    return eps == 0 ? softplus(-z) : (T(1) - eps) * softplus(-z) + eps * softplus(z);
}

template <typename T> T slope(T z, T eps) {  // d loss / d z
    if (naive) return T(1) / (T(1) + std::exp(-z)) - T(1) + eps;
    return eps == 0 ? -sigmoid(-z) : eps * sigmoid(z) - (T(1) - eps) * sigmoid(-z);
}

// -- the protocol -----------------------------------------------------------------------------------------------------

std::string value(const std::string &line, const std::string &key) {
    std::size_t from = line.find("\"" + key + "\":") + key.size() + 3;
    if (line[from] == '"') return line.substr(from + 1, line.find('"', from + 1) - from - 1);
    return line.substr(from, line.find_first_of(",}", from) - from);
}

template <typename T, typename Bits> T number(const std::string &digits, std::size_t place) {
    Bits bits = Bits(std::stoull(digits.substr(place * 2 * sizeof(T), 2 * sizeof(T)), nullptr, 16));
    T x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

template <typename T, typename Bits> void append(std::string &digits, T x) {
    Bits bits;
    char text[17];
    std::memcpy(&bits, &x, sizeof x);
    std::snprintf(text, sizeof text, "%0*llx", int(2 * sizeof(T)), static_cast<unsigned long long>(bits));
    digits += text;
}

template <typename T, typename Bits> void answer(const std::string &line) {
    std::string pc = value(line, "policy_chosen_logps"), pr = value(line, "policy_rejected_logps");
    std::string rc = value(line, "ref_chosen_logps"), rr = value(line, "ref_rejected_logps");
    T beta = T(number<double, std::uint64_t>(value(line, "beta_bits"), 0));
    T eps = T(number<double, std::uint64_t>(value(line, "label_smoothing_bits"), 0));
    std::size_t pairs = std::stoul(value(line, "pairs"));
    std::string losses, up, down;  // the derivatives in both chosen logps differ in sign alone, and so do the rejected ones
    for (std::size_t i = 0; i < pairs; i++) {
        T z = beta * ((number<T, Bits>(pc, i) - number<T, Bits>(rc, i)) - (number<T, Bits>(pr, i) - number<T, Bits>(rr, i)));
        append<T, Bits>(losses, loss(z, eps));
        append<T, Bits>(up, beta * slope(z, eps));
        append<T, Bits>(down, -(beta * slope(z, eps)));
    }
    std::cout << "{\"type\":\"answer\",\"id\":" << value(line, "id") << ",\"losses\":\"" << losses << '"';
    if (value(line, "want_gradient") == "true")
        std::cout << ",\"gradient\":[\"" << up << "\",\"" << down << "\",\"" << down << "\",\"" << up << "\"]";
    std::cout << "}" << std::endl;  // endl flushes: the suite waits for the line
}

int main(int argc, char **argv) {
    naive = argc > 1 && std::string(argv[1]) == "--naive";
    std::ios::sync_with_stdio(false);
    for (std::string line; std::getline(std::cin, line);) {
        std::string type = value(line, "type");
        if (type == "hello")
            std::cout << "{\"type\":\"hello\",\"protocol\":1,\"name\":\"" << (naive ? "cpp-naive" : "cpp")
                      << "\",\"version\":\"1\",\"dtypes\":[\"binary32\",\"binary64\"],"
                         "\"options\":[\"beta\",\"label_smoothing\"],\"reduction\":\"none\",\"gradient\":true,"
                         "\"environment\":{\"compiler\":\"" << __VERSION__ << "\"}}" << std::endl;
        else if (type == "bye")
            break;
        else if (value(line, "dtype") == "binary32")
            answer<float, std::uint32_t>(line);
        else
            answer<double, std::uint64_t>(line);
    }
}
