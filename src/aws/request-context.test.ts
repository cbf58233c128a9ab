import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { describe, it } from 'node:test';
import type { Principal } from '../services/index.ts';
import { WireContext } from './request-context.ts';
import type { WireRequest } from './routing/wire-request.ts';

const principal: Principal = { type: 'Root', account: '1', arn: 'a', userId: '1', accessKeyId: undefined };
const about = { service: 'sns', operation: 'Subscribe', account: '1', region: 'r', requestId: 'i', principal };

describe('the source address of a request', () => {
  const sourceIp = (remoteAddress: string | undefined) => {
    const request = { message: { socket: { remoteAddress } } } as unknown as WireRequest;
    return new WireContext(request, {} as ServerResponse, about).sourceIp;
  };

  it('is the client’s, without the prefix of IPv4 over IPv6', () => {
    assert.equal(sourceIp('127.0.0.1'), '127.0.0.1');
    assert.equal(sourceIp('::ffff:169.254.128.7'), '169.254.128.7');
    assert.equal(sourceIp('::1'), '::1');
  });

  it('is never this machine once the client has gone: who hangs up at once would pass for one of its own', () => {
    assert.equal(sourceIp(undefined), '0.0.0.0');
  });
});
