import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ServiceError } from '../base/errors.ts';
import { failureReply } from './failure.ts';

const logged: string[] = [];
const logger = {
  debug() {},
  info() {},
  warn() {},
  error: (text: string) => void logged.push(text),
  child: () => logger,
};

function errorsOf(error: unknown): { readonly status: number; readonly errors: readonly unknown[] } {
  const { status, body } = failureReply(error, 'request-1', logger);
  return { status, errors: JSON.parse(String(body)).errors };
}

describe('errors of the registry', () => {
  it('have the codes of the specification, whatever services call it', () => {
    const codes: readonly (readonly [string, number, string])[] = [
      ['MANIFEST_UNKNOWN', 404, 'MANIFEST_UNKNOWN'],
      ['ImageTagAlreadyExistsException', 400, 'TAG_INVALID'],
      ['RepositoryNotFoundException', 404, 'NAME_UNKNOWN'],
      ['UpstreamTooManyRequests', 429, 'TOOMANYREQUESTS'],
      ['SecretNotFoundException', 400, 'DENIED'],
      ['UpstreamUnavailable', 502, 'UNKNOWN'],
    ];
    for (const [code, status, expected] of codes) {
      const message = `about ${code}`;
      const answer = errorsOf(new ServiceError(code, message, { status }));
      assert.deepEqual(answer, { status, errors: [{ code: expected, message }] });
    }
  });

  it('tell of a full disk, and of nothing else that is internal', () => {
    const full = errorsOf(Object.assign(new Error('ENOSPC: no space left, write /secret/path'), { code: 'ENOSPC' }));
    assert.equal(full.status, 507);
    const internal = errorsOf(new Error('secret'));
    assert.equal(internal.status, 500);
    assert.deepEqual(logged.length, 1);
    assert.doesNotMatch(JSON.stringify([full, internal]), /secret/);
    assert.match(JSON.stringify(internal), /request-1/);
  });
});
