import { execFileSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { projectRoot } from "./support/sources.ts"

const Versions = Schema.Record(Schema.String, Schema.String)
const Manifest = Schema.Struct({
  name: Schema.String,
  version: Schema.String,
  license: Schema.String,
  type: Schema.String,
  bin: Versions,
  files: Schema.Array(Schema.String),
  scripts: Versions,
  engines: Versions,
  dependencies: Versions,
  devDependencies: Versions
})
const Lock = Schema.Struct({
  version: Schema.String,
  packages: Schema.Record(
    Schema.String,
    Schema.Struct({
      version: Schema.optionalKey(Schema.String),
      integrity: Schema.optionalKey(Schema.String),
      dependencies: Schema.optionalKey(Versions),
      devDependencies: Schema.optionalKey(Versions)
    })
  )
})

const text = (path: string) => readFileSync(join(projectRoot, path), "utf8")
const manifest = Schema.decodeSync(Schema.fromJsonString(Manifest))(text("package.json"))
const lock = Schema.decodeSync(Schema.fromJsonString(Lock))(text("package-lock.json"))
const direct = { ...manifest.dependencies, ...manifest.devDependencies }

describe("the package", () => {
  it("is smol-symphony with the command symphony, ESM, MIT, for Node 20.20 and newer", () => {
    const { name, license, type, bin, engines } = manifest
    assert.deepStrictEqual(
      { name, license, type, bin, engines },
      {
        name: "smol-symphony",
        license: "MIT",
        type: "module",
        bin: { symphony: "dist/main.js" },
        engines: { node: ">=20.20" }
      }
    )
    assert.match(text("LICENSE"), /^MIT License/)
  })

  it("pins every dependency to one version, and the versions of Effect move together", () => {
    const loose = Object.entries(direct).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
    assert.deepStrictEqual(loose, [])
    assert.strictEqual(direct["@effect/platform-node"], direct["effect"])
  })

  it("has a lock that says the same, with a checksum for each package", () => {
    const root = lock.packages[""]
    assert.deepStrictEqual(root?.dependencies, manifest.dependencies)
    assert.deepStrictEqual(root?.devDependencies, manifest.devDependencies)
    assert.strictEqual(lock.version, manifest.version)
    for (const [name, version] of Object.entries(direct)) {
      assert.strictEqual(lock.packages[`node_modules/${name}`]?.version, version, name)
    }
    const unchecked = Object.entries(lock.packages).filter(
      ([path, it]) => path !== "" && it.integrity === undefined
    )
    assert.deepStrictEqual(unchecked, [])
  })

  it("has one version of effect installed: two would not know each other's services", () => {
    const copies = Object.keys(lock.packages).filter((path) => /(^|\/)node_modules\/effect$/.test(path))
    assert.deepStrictEqual(copies, ["node_modules/effect"])
  })

  it("starts with a line that makes its program executable", () => {
    assert.match(text("src/main.ts"), /^#!\/usr\/bin\/env node\n/)
  })

  it("ships what it lists, and no sources, tests or trackers", () => {
    const missing = manifest.files.filter((path) => path !== "dist" && !existsSync(join(projectRoot, path)))
    assert.deepStrictEqual(missing, [])
    for (const path of ["src", "test", "issues", ".symphony"]) assert.notInclude(manifest.files, path)
  })

  it("describes the present version in the changelog", () => {
    assert.match(
      text("CHANGELOG.md"),
      new RegExp(`^## \\[${manifest.version.replaceAll(".", "\\.")}\\] - `, "m")
    )
  })

  it("has a script for each thing the README promises, and each script exists", () => {
    for (const name of ["demo", "test", "build", "typecheck"]) assert.property(manifest.scripts, name)
    const programs = Object.values(manifest.scripts).flatMap((it) => /^node (\S+)/.exec(it)?.[1] ?? [])
    assert.deepStrictEqual(
      programs.filter((path) => !existsSync(join(projectRoot, path))),
      []
    )
  })

  it("keeps what is built, installed or run out of git, and the tracker's folders in it", () => {
    const ignored = text(".gitignore").split("\n")
    for (const path of ["node_modules/", "dist/", ".symphony/", ".vm/"]) assert.include(ignored, path)
    for (const state of readdirSync(join(projectRoot, "issues"))) {
      assert.isTrue(existsSync(join(projectRoot, "issues", state, ".gitkeep")), state)
    }
  })

  it("has a continuous integration script that can be run and read", () => {
    execFileSync("bash", ["-n", join(projectRoot, ".ci/run")])
    execFileSync("test", ["-x", join(projectRoot, ".ci/run")])
  })
})
