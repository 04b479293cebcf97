import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { packageRoot } from "../../package.ts"

const require = createRequire(import.meta.url)

/**
 * Read once with the module that serves them, as code is: they are a part of the program, and a page that
 * names them needs to know their content.
 */
const asset = (file: string, contentType: string) => {
  const body = readFileSync(file)
  return { body, contentType, version: createHash("sha256").update(body).digest("hex").slice(0, 12) }
}

const own = (name: string): string => join(packageRoot, "assets", name)

const SCRIPT = "text/javascript; charset=utf-8"
const assets = {
  "dashboard.css": asset(own("dashboard.css"), "text/css; charset=utf-8"),
  "live.js": asset(own("live.js"), SCRIPT),
  "forms.js": asset(own("forms.js"), SCRIPT),
  "keys.js": asset(own("keys.js"), SCRIPT),
  "tail.js": asset(own("tail.js"), SCRIPT),
  "review.js": asset(own("review.js"), SCRIPT),
  "icon.svg": asset(own("icon.svg"), "image/svg+xml"),
  "htmx.js": asset(require.resolve("htmx.org/dist/htmx.min.js"), SCRIPT),
  "idiomorph.js": asset(require.resolve("idiomorph/dist/idiomorph-ext.min.js"), SCRIPT)
}

/** Changes with the content, so that browsers may keep what they have. */
export const assetUrl = (name: keyof typeof assets): string => `/assets/${name}?v=${assets[name].version}`

export const assetRoutes = Layer.mergeAll(
  Layer.empty,
  ...Object.entries(assets).map(([name, { body, contentType }]) =>
    HttpRouter.add(
      "GET",
      `/assets/${name}`,
      Effect.succeed(
        HttpServerResponse.uint8Array(body, {
          contentType,
          headers: { "cache-control": "private, max-age=31536000, immutable" }
        })
      )
    )
  )
)
