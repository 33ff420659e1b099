// Which sanitizer a test was built with. NEXUS_ASAN and NEXUS_TSAN are 0 or 1.
#pragma once

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NEXUS_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define NEXUS_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define NEXUS_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define NEXUS_TSAN 1
#endif
#ifndef NEXUS_ASAN
#define NEXUS_ASAN 0
#endif
#ifndef NEXUS_TSAN
#define NEXUS_TSAN 0
#endif
