import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { KillableKobune } from '../support/killable-kobune.ts';

const digestOf = (content: string | Uint8Array): string =>
  `sha256:${createHash('sha256').update(content).digest('hex')}`;

const JSON_TYPE = { 'content-type': 'application/json' };

const offsetOf = ({ headers }: Response): number => Number(headers.get('range')!.split('-')[1]) + 1;

/** Sends the beginning of a chunk that is said to be larger; resolves when the registry has some of it. */
async function sendPart({ port, endpoint }: KillableKobune, location: string, part: Uint8Array, announced: number) {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(`PATCH ${location} HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${announced}\r\n\r\n`);
  socket.write(part);
  while (offsetOf(await fetch(`${endpoint}${location}`)) <= 1) await new Promise(setImmediate);
  return socket;
}

describe('the registry after kill -9', { timeout: 60_000 }, () => {
  it('goes on with an upload from what had come, and has what it had acknowledged', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'kobune-registry-crash-'));
    try {
      const layer = Buffer.alloc(8_000_000, 'kobune ');
      const config = Buffer.from('{}');
      const manifest = JSON.stringify({
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(config), size: 2 },
        layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: digestOf(layer), size: layer.length }],
      });
      let location: string;
      {
        await using kobune = await KillableKobune.start(directory);
        const base = `${kobune.endpoint}/v2/team/app`;
        const whole = await fetch(`${base}/blobs/uploads/?digest=${digestOf(config)}`, {
          method: 'POST',
          body: config,
        });
        assert.equal(whole.status, 201);
        const begun = await fetch(`${base}/blobs/uploads/`, { method: 'POST' });
        location = begun.headers.get('location')!;
        const socket = await sendPart(kobune, location, layer.subarray(0, 5_000_000), layer.length);
        await kobune.kill();
        socket.destroy();
      }
      {
        await using kobune = await KillableKobune.start(directory);
        const base = `${kobune.endpoint}/v2/team/app`;
        assert.equal((await fetch(`${base}/blobs/${digestOf(config)}`)).status, 200);
        const from = offsetOf(await fetch(`${kobune.endpoint}${location}`));
        assert.ok(from > 1 && from <= 5_000_000, String(from));
        const rest = await fetch(`${kobune.endpoint}${location}`, {
          method: 'PATCH',
          headers: { 'content-range': `${from}-${layer.length - 1}` },
          body: layer.subarray(from),
        });
        assert.equal(rest.status, 202);
        const done = await fetch(`${kobune.endpoint}${location}?digest=${digestOf(layer)}`, { method: 'PUT' });
        assert.equal(done.status, 201);
        const put = await fetch(`${base}/manifests/v1`, { method: 'PUT', headers: JSON_TYPE, body: manifest });
        assert.equal(put.status, 201);
        await kobune.kill();
      }
      await using kobune = await KillableKobune.start(directory);
      const base = `${kobune.endpoint}/v2/team/app`;
      assert.equal(await (await fetch(`${base}/manifests/v1`)).text(), manifest);
      const blob = Buffer.from(await (await fetch(`${base}/blobs/${digestOf(layer)}`)).arrayBuffer());
      assert.ok(blob.equals(layer));
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  it('has every image whose push it had acknowledged, killed again and again', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'kobune-registry-crash-'));
    const config = Buffer.from('{}');
    const manifestOf = (layer: string) =>
      JSON.stringify({
        schemaVersion: 2,
        config: { mediaType: 'a/config', digest: digestOf(config), size: 2 },
        layers: [{ mediaType: 'a/layer', digest: digestOf(layer), size: layer.length }],
      });
    const acknowledged: string[] = [];
    try {
      for (let round = 0; round < 3; round++) {
        await using kobune = await KillableKobune.start(directory);
        const base = `${kobune.endpoint}/v2/team/app`;
        for (const layer of acknowledged) {
          const answer = await fetch(`${base}/manifests/${digestOf(manifestOf(layer))}`);
          assert.equal(answer.status, 200, layer);
          assert.equal(await (await fetch(`${base}/blobs/${digestOf(layer)}`)).text(), layer);
        }
        const put = async (digest: string, body: Uint8Array) =>
          fetch(`${base}/blobs/uploads/?digest=${digest}`, { method: 'POST', body: Buffer.from(body) });
        await put(digestOf(config), config);
        let killed: Promise<void> | undefined;
        const push = async (layer: string) => {
          await put(digestOf(layer), Buffer.from(layer));
          const answer = await fetch(`${base}/manifests/${digestOf(manifestOf(layer))}`, {
            method: 'PUT',
            headers: JSON_TYPE,
            body: manifestOf(layer),
          });
          if (answer.status === 201) acknowledged.push(layer);
          // While others are on their way.
          if (acknowledged.length >= (round + 1) * 10) killed ??= kobune.kill();
        };
        await Promise.allSettled(Array.from({ length: 30 }, (_, i) => push(`layer ${round} ${i}`)));
        await killed;
      }
      assert.ok(acknowledged.length >= 30);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
