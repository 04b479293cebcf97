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
    // Most of them wait for processes of others: a worker less than there are cores would leave one idle.
    maxWorkers: "100%",
    testTimeout: 120_000,
    // Tests with real processes meet a machine that others use, too; a second failure is ours.
    retry: process.env["CI"] === "true" ? 1 : 0,
    hookTimeout: 120_000
  }
})
