import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { printable, printableLine, printableTail } from "../../src/domain/printable.ts"

describe("printable", () => {
  it("leaves ordinary text alone, in any script", () => {
    const text = "Grüße, Привет, こんにちは, ❤\u{FE0F} 42 % done\nsecond line"
    assert.strictEqual(printable(text), text)
  })

  it("shows what would drive a terminal", () => {
    assert.strictEqual(printable("\u001b[2J\u001b]52;c;eA==\u0007"), "␛[2J␛]52;c;eA==␇")
    assert.strictEqual(printable("safe\rEVIL\b\u007f\u009b31m"), "safe␍EVIL␈␡<U+009B>31m")
  })

  it("shows what would reorder or hide text", () => {
    assert.strictEqual(printable("a\u202Eb\u200Bc\uFEFFd\u2066e"), "a<U+202E>b<U+200B>c<U+FEFF>d<U+2066>e")
    assert.strictEqual(printable("\u{E0041}\u2028\u3164"), "<U+E0041><U+2028><U+3164>")
    assert.strictEqual(printable("half \uD83D"), "half \uFFFD")
  })

  it("keeps line ends on several lines and shows them on one", () => {
    assert.strictEqual(printable("a\r\nb\nc"), "a\nb\nc")
    assert.strictEqual(printableLine("ok\nERROR forged"), "ok␊ERROR forged")
  })

  it("cuts at whole characters and says that it did", () => {
    assert.strictEqual(printableLine("😀😀😀", 2), "😀😀…")
    assert.strictEqual(printableLine("ab", 2), "ab")
    assert.strictEqual(printableTail("x😀yz", 3), "…yz")
  })

  it("never lets a control, bidi or zero-width character or a second line through", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        const line = printableLine(text)
        assert.notMatch(line, /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
        assert.notMatch(printable(text), /[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
        assert.notMatch(printable(text).replaceAll("\n", ""), /\p{Cc}/u)
      })
    )
  })
})
