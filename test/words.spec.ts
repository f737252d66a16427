import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import * as words from '../apps/console/words.ts';
import { searchable } from '../libs/flow/index.ts';

const { addMonths, countryOf, dayOf, inWords, momentInWords, monthInWords, periodInWords, plain, short, weeksOf } =
  words;

describe('what is half typed is shown as it is typed', () => {
  test.each(['', '2', '2025-', '2025-1', '2025-13', '2025-13-01', '2025-02-30', '2025-02-29', '0000-00-00', 'demain'])(
    '%j is no date',
    (typed) => {
      expect([inWords(typed), short(typed)]).toEqual([typed, typed]);
    },
  );

  test.each(['2025-00', '2025-13', '2026-T5', '2026-T0', '2026-S3', '2026-T', 'T2', '2026-1'])(
    '%j is no period',
    (typed) => expect(periodInWords(typed)).toBe(typed),
  );

  test('a month that is none has no weeks, and none after it', () => {
    expect([monthInWords('2025-13'), addMonths('2025-13', 1), weeksOf('2025-13')]).toEqual(['2025-13', '2025-13', []]);
  });

  test.each(['', 'F', 'fr', 'FRA', '1!'])('%j is no country', (typed) => {
    expect(countryOf(typed)).toBe(typed);
  });

  test('nothing that is typed makes any of them fail', () => {
    const digits = fc.stringMatching(/^[0-9TS:Z.-]{0,24}$/);
    const typed = fc.oneof(fc.string({ unit: 'binary' }), digits, fc.constantFrom('\ud800', '\u0000', '__proto__'));
    const total = [inWords, short, momentInWords, dayOf, periodInWords, monthInWords, weeksOf, countryOf, plain];
    fc.assert(
      fc.property(typed, (text) => {
        for (const word of [...total, words.wordOf, words.jalonInWords, words.capital]) word(text);
        addMonths(text, 1);
        words.daysBetween(text, text);
      }),
    );
  });
});

describe('a text is searched', () => {
  test('by the console as by the API', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: fc.constantFrom(...'œŒæßøŁİı’-– \u00a0éÉﬁx') }),
    );
    fc.assert(fc.property(texts, (text) => plain(text) === searchable(text)));
  });
});
