import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

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

/** Those that live through whole lives of the program take longest: begun last, they would be waited for alone. */
class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const isLong = ({ moduleId }: TestSpecification) =>
      /\/test\/(acceptance|smolvm|agent|browser)\//.test(moduleId)
    const sorted = await super.sort(files)
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/build.ts"],
    // The long ones wait for processes of others more than they work.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: LongestFirst },
    testTimeout: 120_000,
    // Tests with real processes meet a machine that others use, too; a second failure is ours.
    retry: process.env["CI"] === "true" ? 1 : 0,
    hookTimeout: 120_000
  }
})
