import { defineConfig } from "vitest/config"

// vitest 5.1 reports failures with Map.groupBy, which Node 20 lacks: each failure would hide behind a TypeError.
if (!("groupBy" in Map)) {
  Object.defineProperty(Map, "groupBy", {
    value: (items: Iterable<unknown>, keyOf: (item: unknown) => unknown) => {
      const groups = new Map<unknown, Array<unknown>>()
      for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item])
      return groups
    }
  })
}

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/build.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000
  }
})
