import { defineConfig } from "vitest/config"
// For what it does for Node 20.
import "./vitest.config.ts"

/** The real agents; started by `npm run test:agents`, which installs them and builds the program first. */
export default defineConfig({
  test: {
    include: ["test/agents/**/*.agents.ts"],
    testTimeout: 240_000,
    hookTimeout: 60_000,
    fileParallelism: false
  }
})
