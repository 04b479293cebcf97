import { afterAll, beforeAll, describe } from "@effect/vitest"
import { hasProcessTable } from "../support/capabilities.ts"
import { sandboxesContract } from "../sandbox/contract.ts"
import { realLayer } from "../sandbox/layers.ts"
import { type Variant, variants } from "./variants.ts"

for (const { config, name, open } of variants) {
  describe.skipIf(!hasProcessTable("the Sandboxes contract over smolvm"))(`smolvm ${name}`, () => {
    let opened: Awaited<ReturnType<Variant["open"]>>
    beforeAll(async () => {
      opened = await open()
    })
    afterAll(() => opened.close())
    sandboxesContract("smolvm", realLayer, name, config)
  })
}
