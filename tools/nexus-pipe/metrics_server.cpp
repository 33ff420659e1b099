#include "metrics_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <list>
#include <string_view>
#include <utility>
#include <vector>

#include "background_queue.hpp"

namespace nexus::tool {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t most_connections = 16;
constexpr std::size_t most_request = 4096;  // bytes
constexpr std::chrono::seconds patience{5};
constexpr int refused_pause_ms = 100;

const char* reason(int code) noexcept {
  switch (code) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    default:
      return "Service Unavailable";
  }
}

std::string reply(const http_page& page, bool with_body = true) {
  std::string text = "HTTP/1.1 " + std::to_string(page.code) + " " +
                     reason(page.code) + "\r\nContent-Type: " + page.type +
                     "\r\nContent-Length: " + std::to_string(page.body.size()) +
                     "\r\nConnection: close\r\n";
  if (page.code == 405) text += "Allow: GET, HEAD\r\n";
  text += "\r\n";
  return with_body ? text + page.body : text;
}

http_page plain(int code) {
  return {code, http_page{}.type, std::string(reason(code)) + "\n"};
}

struct socket_address {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

socket_address to_system(const listen_address& from) {
  socket_address into;
  if (from.is_ipv6()) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(from.port);
    ::inet_pton(AF_INET6, from.host.c_str(), &address.sin6_addr);
    into.size = sizeof address;
    std::memcpy(&into.bytes, &address, sizeof address);
  } else {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(from.port);
    ::inet_pton(AF_INET, from.host.c_str(), &address.sin_addr);
    into.size = sizeof address;
    std::memcpy(&into.bytes, &address, sizeof address);
  }
  return into;
}

std::uint16_t port_of(int fd) {
  socket_address at;
  at.size = sizeof at.bytes;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&at.bytes), &at.size);
  // Both families have the port at the same place.
  sockaddr_in address{};
  std::memcpy(&address, &at.bytes, sizeof address);
  return ntohs(address.sin_port);
}

result<descriptor> listen_at(const listen_address& address) {
  const auto failure = [&address] {
    const int code = errno;
    return status(
        status_code::io_error,
        "cannot listen at " + address.text() + ": " + std::strerror(code),
        code == EADDRINUSE ? "another program has this port: choose "
                             "another one, or 0 for any"
                           : "",
        code);
  };
  const int family = address.is_ipv6() ? AF_INET6 : AF_INET;
  descriptor fd(
      ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return failure();
  // What an earlier run left in TIME_WAIT is in nobody's way.
  const int yes = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const socket_address at = to_system(address);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&at.bytes), at.size) !=
      0)
    return failure();
  if (::listen(fd.get(), static_cast<int>(most_connections)) != 0)
    return failure();
  return result<descriptor>(std::move(fd));
}

}  // namespace

std::string answer_request(const std::string& request, std::size_t limit,
                           const metrics_server::answerer& answer) {
  const bool whole = request.find("\r\n\r\n") != std::string::npos ||
                     request.find("\n\n") != std::string::npos;
  if (!whole) return request.size() < limit ? "" : reply(plain(431));
  const std::string_view line =
      std::string_view(request).substr(0, request.find_first_of("\r\n"));
  const std::size_t first = line.find(' ');
  const std::size_t second = line.find(' ', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos ||
      line[first + 1] != '/' || !line.substr(second + 1).starts_with("HTTP/1."))
    return reply(plain(400));
  const std::string_view method = line.substr(0, first);
  std::string_view path = line.substr(first + 1, second - first - 1);
  if (method != "GET" && method != "HEAD") return reply(plain(405));
  path = path.substr(0, path.find('?'));
  return reply(answer(std::string(path)), method == "GET");
}

// Those that are open, the oldest first.
class metrics_server::connections {
 public:
  explicit connections(const answerer& answer) : answer_(answer) {}

  // False: there are no descriptors left.
  bool accept(int listener) {
    descriptor fd(
        ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd.get() < 0) return errno != EMFILE && errno != ENFILE;
    if (all_.size() >= most_connections) all_.pop_front();
    all_.push_back({std::move(fd), clock::now() + patience, {}, {}});
    return true;
  }

  void add_to(std::vector<pollfd>& waiting) const {
    for (const connection& each : all_) {
      const short events = each.answer.empty() ? POLLIN : POLLOUT;
      waiting.push_back({each.fd.get(), events, 0});
    }
  }

  // ready: as add_to() made it.
  void serve(const pollfd* ready) {
    for (auto each = all_.begin(); each != all_.end();) {
      const short events = (ready++)->revents;
      const bool open =
          clock::now() < each->deadline && (events == 0 || go_on(*each));
      each = open ? std::next(each) : all_.erase(each);
    }
  }

  [[nodiscard]] int milliseconds_left() const {
    if (all_.empty()) return -1;
    const auto left = all_.front().deadline - clock::now();
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    return static_cast<int>(std::max<std::int64_t>(ms, 0));
  }

 private:
  struct connection {
    descriptor fd;
    clock::time_point deadline;
    std::string request;
    std::string answer;  // what is left of it
  };

  // False: it is done, or hopeless.
  bool go_on(connection& with) {
    return with.answer.empty() ? receive(with) : send(with);
  }

  bool receive(connection& with) {
    std::array<char, most_request> part;
    const ssize_t got = ::recv(with.fd.get(), part.data(),
                               most_request - with.request.size(), 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    with.request.append(part.data(), static_cast<std::size_t>(got));
    with.answer = answer_request(with.request, most_request, answer_);
    return with.answer.empty() || send(with);
  }

  static bool send(connection& with) {
    const ssize_t put = ::send(with.fd.get(), with.answer.data(),
                               with.answer.size(), MSG_NOSIGNAL);
    if (put < 0) return errno == EAGAIN || errno == EINTR;
    with.answer.erase(0, static_cast<std::size_t>(put));
    if (with.answer.empty()) ::shutdown(with.fd.get(), SHUT_WR);
    return !with.answer.empty();
  }

  const answerer& answer_;
  std::list<connection> all_;
};

result<std::unique_ptr<metrics_server>> metrics_server::start(
    const listen_address& address, answerer answer) {
  result<descriptor> listener = listen_at(address);
  if (!listener) return listener.error();
  descriptor wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (wake.get() < 0) return system_failure("make", "an eventfd", errno);
  listen_address real = address;
  real.port = port_of(listener->get());
  return std::unique_ptr<metrics_server>(new metrics_server(
      *std::move(listener), std::move(wake), real, std::move(answer)));
}

metrics_server::metrics_server(descriptor listener, descriptor wake,
                               listen_address address, answerer answer)
    : listener_(std::move(listener)),
      wake_(std::move(wake)),
      address_(std::move(address)),
      answer_(std::move(answer)) {
  thread_ = start_quiet_thread("nexus-metrics", [this] { serve(); });
}

metrics_server::~metrics_server() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(wake_.get(), &one, sizeof one);
  thread_.join();
}

void metrics_server::serve() {
  connections open(answer_);
  std::vector<pollfd> waiting;
  while (true) {
    waiting = {{wake_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    open.add_to(waiting);
    const int count =
        ::poll(waiting.data(), waiting.size(), open.milliseconds_left());
    if (count < 0 && errno != EINTR) return;
    if (waiting[0].revents != 0) return;
    open.serve(waiting.data() + 2);
    if (waiting[1].revents == 0) continue;
    // No use to ask again at once.
    if (!open.accept(listener_.get()))
      ::poll(waiting.data(), 1, refused_pause_ms);
  }
}

}  // namespace nexus::tool
