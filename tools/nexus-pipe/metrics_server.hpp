// A small HTTP server for those who ask how a run does.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <nexus/status.hpp>
#include <string>
#include <thread>

#include "files.hpp"
#include "listen_address.hpp"

namespace nexus::tool {

struct http_page {
  int code = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
};

// Answers GET and HEAD for the pages that it is given, one request a
// connection, on a thread of its own. Up to 16 connections, 4 KiB of request
// and 5 seconds each; who comes when all are taken displaces the oldest.
class metrics_server {
 public:
  // path: "/metrics", without what follows a '?'. On the server's thread; 404
  // for what there is not.
  using answerer = std::function<http_page(const std::string& path)>;

  // io_error: the port is taken, or the address is not this machine's.
  [[nodiscard]] static result<std::unique_ptr<metrics_server>> start(
      const listen_address& address, answerer answer);
  ~metrics_server();
  metrics_server(const metrics_server&) = delete;
  metrics_server& operator=(const metrics_server&) = delete;

  // With the port that it really has.
  [[nodiscard]] const listen_address& address() const noexcept {
    return address_;
  }

 private:
  class connections;
  metrics_server(descriptor listener, descriptor wake, listen_address address,
                 answerer answer);
  void serve();

  const descriptor listener_;
  const descriptor wake_;  // an eventfd: time to end
  const listen_address address_;
  const answerer answer_;
  std::thread thread_;
};

// The answer to a request's bytes, or nothing while its head is not complete.
// limit: more than that is refused.
[[nodiscard]] std::string answer_request(
    const std::string& request, std::size_t limit,
    const metrics_server::answerer& answer);

}  // namespace nexus::tool
