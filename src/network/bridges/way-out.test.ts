import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { dial, Guest, Neighbour, startNetworks, type TestNetworks, WIRINGS, whyNot } from './test-support.ts';

const tcp = { containerPort: 80, protocol: 'tcp' } as const;

const skip = await whyNot();
for (const { by, options } of WIRINGS) {
  describe(`the way out of containers, and in, by ${by}`, { skip }, () => {
    let test: TestNetworks;
    let neighbour: Neighbour;
    let web: Guest;

    before(async () => {
      test = await startNetworks(options);
      await test.networks.create({ name: 'inner', internal: true });
      await test.networks.create({
        name: 'routed',
        options: { 'com.docker.network.bridge.enable_ip_masquerade': 'false' },
      });
      neighbour = Neighbour.create();
      await neighbour.serveTcp(80);
      await neighbour.serveUdp(80);
      web = await Guest.join(test, 'web', ['bridge'], [tcp, { ...tcp, hostIp: '0.0.0.0' }]);
      await web.serveTcp(80);
    });
    after(async () => {
      await web.release();
      neighbour[Symbol.dispose]();
      assert.deepEqual(test.warnings, []);
      await test[Symbol.asyncDispose]();
    });

    it("leads to other machines, in this machine's name", async () => {
      assert.equal(await web.dial(neighbour.address, 80), `neighbour ${neighbour.hostAddress}`);
    });

    it('carries UDP and pings', async () => {
      const socket = await web.udp('0.0.0.0', 0);
      socket.send('hello', 80, neighbour.address);
      const [answer] = await once(socket, 'message', { signal: AbortSignal.timeout(3_000) });
      assert.equal(String(answer), 'neighbour hello');
      assert.match(await web.run('busybox', 'ping', '-c1', '-W2', neighbour.address), / 0% packet loss/);
    });

    it("is in the container's own name without masquerade", async () => {
      await using routed = await Guest.join(test, 'routed', ['routed']);
      assert.equal(await routed.dial(neighbour.address, 80), `neighbour ${routed.address()}`);
    });

    it('is not there on internal networks, but for the cloud', async () => {
      await using inner = await Guest.join(test, 'inner', ['inner']);
      assert.equal(await inner.dial(neighbour.address, 80), 'unreachable');
      // Nor for one that makes itself a way.
      const { ipv4Gateway } = inner.connected.endpoints[0]!;
      await inner.run('ip', 'route', 'add', 'default', 'via', ipv4Gateway!);
      assert.equal(await inner.dial(neighbour.address, 80), 'refused');
      assert.equal(await get(inner, 'http://169.254.100.1/'), 'gateway 169.254.100.1');
    });

    it('has the cloud on the ports of its URLs and on 4566', async () => {
      for (const port of ['', ':443', ':4566']) {
        assert.equal(await get(web, `http://169.254.100.1${port}/`), `gateway 169.254.100.1${port}`);
      }
    });

    it("does not lead to instances' metadata, nor to anything else of this machine's link", async () => {
      for (const address of ['169.254.169.254', '169.254.1.1']) {
        assert.match(await web.dial(address, 80), /^(refused|unreachable|silence)$/);
      }
    });

    it('in leads only to ports that are published at an address of this machine that others reach', async () => {
      const [atLoopback, , everywhere] = web.connected.ports;
      assert.equal(await neighbour.dial(neighbour.hostAddress, everywhere!.hostPort), `web ${neighbour.address}`);
      assert.equal(await neighbour.dial(neighbour.hostAddress, atLoopback!.hostPort), 'refused');
      assert.equal(await neighbour.dial(web.address(), 80), 'silence');
      assert.match(await dial(web.address(), 80), /^web /);
    });

    it('to loopback addresses of this machine is closed, even to who writes them on the wire', async () => {
      const { ipv4Gateway } = web.connected.endpoints[0]!;
      await web.run('sh', '-c', `ip address flush dev lo; ip route flush table local 127.0.0.0/8; true`);
      await web.run(
        'sh',
        '-c',
        `ip route add 127.0.0.1 via ${ipv4Gateway} || ip route add table local 127.0.0.1 via ${ipv4Gateway}`,
      );
      const [atLoopback] = web.connected.ports;
      assert.equal(await web.dial('127.0.0.1', atLoopback!.hostPort), 'silence');
    });
  });
}

const get = (guest: Guest, url: string) => guest.run('busybox', 'wget', '-qO-', url);
