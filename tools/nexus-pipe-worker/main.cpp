// The helper process of an isolated device. An engine starts it.
#include <nexus/worker.hpp>

int main() {
  return nexus::serve_device();
}
