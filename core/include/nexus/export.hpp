// Symbol visibility of the library. Everything not marked is hidden.
#pragma once

#define NEXUS_API __attribute__((visibility("default")))
