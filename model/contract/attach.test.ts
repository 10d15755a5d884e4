import { describe, expect, it } from 'vitest';
import { attached, G, H, mapped, monitorAfter, PERMITTED, rulings, rulingsOf, the } from './testing.ts';

const maps = [mapped(0, G), mapped(1, H)].flat();
const refused = { fault: PERMITTED, abort: PERMITTED };

describe('a stream at rest', () => {
  it('translated-while-blocked, untranslated-while-blocked: reaches nothing when blocked or never attached', () => {
    const blocked = {
      G: 'translated-while-blocked (attach.end)',
      stranger: 'translated-while-blocked (attach.end)',
      bypass: 'untranslated-while-blocked (attach.end)',
      ...refused,
    };
    expect(rulings(maps)).toMatchObject(blocked);
    expect(rulings(maps, attached(0), attached('blocked'))).toMatchObject(blocked);
  });

  it('translated-while-bypass, refused-while-bypass: goes untranslated when set to bypass', () => {
    expect(rulings(maps, attached('bypass'))).toMatchObject({
      G: 'translated-while-bypass (attach.end)',
      fault: 'refused-while-bypass (attach.end)',
      abort: 'refused-while-bypass (attach.end)',
      bypass: PERMITTED,
    });
  });

  it('wrong-address-space, untranslated-while-attached, spurious-abort: translates by its space', () => {
    expect(rulings(maps, attached(0))).toMatchObject({
      G: PERMITTED,
      H: 'wrong-address-space (attach.end)',
      bypass: 'untranslated-while-attached (attach.end)',
      abort: 'spurious-abort (attach.end)',
      fault: 'spurious-fault (map.end)',
    });
  });
});

describe('a stream that changes its target', () => {
  const moving = [maps, attached(0), [the.attachBegin(1)]];

  it('may use the old, the new or refuse while in progress', () => {
    expect(rulings(...moving)).toMatchObject({ G: PERMITTED, H: PERMITTED, ...refused });
    expect(rulings(maps, attached(0), the.attachBegin('bypass'))).toMatchObject({ G: PERMITTED, bypass: PERMITTED });
    expect(rulings(maps, attached(0), the.attachBegin('blocked', true))).toMatchObject({ G: PERMITTED, ...refused });
  });

  it('uses the new alone afterwards', () => {
    expect(rulings(...moving, the.attachEnd())).toMatchObject({
      G: 'wrong-address-space (attach.end)',
      H: PERMITTED,
      fault: 'spurious-fault (map.end)',
      abort: 'spurious-abort (attach.end)',
    });
  });

  it('may refuse until the last of several attaches has ended', () => {
    expect(rulings(...moving, the.attachBegin(0, true), the.attachEnd())).toMatchObject({ G: PERMITTED, ...refused });
    const ended = rulings(...moving, the.attachBegin(0, true), the.attachEnd(), the.attachEnd());
    expect(ended).toMatchObject({ abort: 'spurious-abort (attach.end)' });
  });

  it('mixed-configuration: uses neither a third target nor bypass', () => {
    expect(rulings(...moving)).toMatchObject({
      stranger: 'mixed-configuration (attach.begin)',
      bypass: 'mixed-configuration (attach.begin)',
    });
  });

  it('refused-while-hitless: does not refuse what both targets grant, when declared hitless', () => {
    expect(rulings(maps, attached(0), the.attachBegin(1, true))).toMatchObject({
      fault: 'refused-while-hitless (attach.begin)',
      abort: 'refused-while-hitless (attach.begin)',
      G: PERMITTED,
      H: PERMITTED,
    });
    const half = rulings(mapped(0, G), attached(0), the.attachBegin(1, true));
    expect(half).toMatchObject({ fault: PERMITTED, abort: 'refused-while-hitless (attach.begin)' });
  });

  it('wrong-address-space: keeps the old target when the attach fails', () => {
    expect(rulings(...moving, the.attachFail(1))).toMatchObject({
      G: PERMITTED,
      H: 'wrong-address-space (attach.end)',
      abort: 'spurious-abort (attach.end)',
    });
  });
});

describe('two streams', () => {
  it('have a target each', () => {
    const monitor = monitorAfter(maps, the.attachBegin(0, false, 1), the.attachEnd(1));
    expect(rulingsOf(monitor, 1)).toMatchObject({ G: PERMITTED });
    expect(rulingsOf(monitor, 0)).toMatchObject({ G: 'translated-while-blocked (attach.end)' });
  });

  it('do not mix when both are attached at once', () => {
    const monitor = monitorAfter(maps, the.attachBegin(0), the.attachBegin(1, false, 1), the.attachEnd(1));
    expect(rulingsOf(monitor, 0)).toMatchObject({ G: PERMITTED, ...refused });
    expect(rulingsOf(monitor, 1)).toMatchObject({
      G: 'wrong-address-space (attach.end)',
      H: PERMITTED,
      fault: 'spurious-fault (map.end)',
    });
  });
});
