import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseDuration } from './duration.ts';

describe('a duration', () => {
  it('adds up its parts', () => {
    const cases = {
      '500ms': 500,
      '90s': 90_000,
      '15m': 900_000,
      '24h': 86_400_000,
      '1d12h': 129_600_000,
      '1.5s': 1500,
    };
    for (const [text, milliseconds] of Object.entries(cases)) assert.equal(parseDuration(text), milliseconds, text);
  });

  it('is nothing else', () => {
    for (const text of ['', '5', 'h', '-1h', '1 h', '1w', '1h!']) assert.equal(parseDuration(text), undefined, text);
  });
});
