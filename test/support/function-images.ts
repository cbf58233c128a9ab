import { spawn } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import * as ecr from '@aws-sdk/client-ecr';
import * as lambda from '@aws-sdk/client-lambda';
import { DOCKER_28 } from '../../src/docker/testing/test-docker.ts';
import { BUSYBOX_RUNTIME, runEvent } from '../../src/functions/test-support/busybox-image.ts';

/** A Kobune to which images are pushed, and where functions are made of them. */
export interface ImageServer {
  /** Of the data directory, which holds the Docker API's socket. */
  readonly dataDirectory: string;
  readonly scratch: string;
  /** Settings of the AWS SDK's clients. */
  readonly settings: lambda.LambdaClientConfig & ecr.ECRClientConfig;
}

export const REGISTRY = '000000000000.dkr.ecr.us-east-1.amazonaws.com';
export const IMAGE_ROLE = 'arn:aws:iam::000000000000:role/lambda-role';
/** Name of the image that {@link FunctionImages.start} builds: busybox with a runtime client, `/runtime`. */
export const BASE = 'base';

/** Answer of a function that was invoked. */
export interface Invoked {
  readonly error: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: the answers' shapes are what is being checked
  readonly value: any;
  /** What the script printed that {@link FunctionImages.run} had the function run. */
  readonly output: string | undefined;
  readonly log: string;
  readonly version: string | undefined;
}

/** Builds and pushes images with Docker's own client, and makes functions of them. */
export class FunctionImages implements Disposable {
  readonly lambda: lambda.LambdaClient;
  readonly ecr: ecr.ECRClient;
  readonly #server: ImageServer;
  readonly #repositories = new Set<string>();

  private constructor(server: ImageServer) {
    this.#server = server;
    this.lambda = new lambda.LambdaClient(server.settings);
    this.ecr = new ecr.ECRClient(server.settings);
  }

  /** On a server that has the base image, or needs none. */
  static of(server: ImageServer): FunctionImages {
    return new FunctionImages(server);
  }

  /** Builds the base image. */
  static async start(server: ImageServer): Promise<FunctionImages> {
    const images = new FunctionImages(server);
    const context = await images.#context({ 'runtime*': BUSYBOX_RUNTIME });
    await copyFile('/bin/busybox', join(context, 'busybox'));
    const dockerfile = [
      'FROM scratch',
      'COPY busybox /bin/busybox',
      'RUN ["/bin/busybox", "--install", "-s", "/bin"]',
      'COPY runtime /runtime',
      'ENTRYPOINT ["/runtime"]',
    ];
    await images.build(BASE, dockerfile.join('\n'), {}, context);
    return images;
  }

  /** Runs Docker's client; rejects with what it printed when it fails. */
  async docker(words: readonly string[], input?: Uint8Array): Promise<string> {
    const { dataDirectory, scratch } = this.#server;
    const child = spawn(DOCKER_28, words, {
      env: {
        PATH: process.env.PATH,
        HOME: scratch,
        DOCKER_HOST: `unix://${dataDirectory}/docker.sock`,
        DOCKER_BUILDKIT: '0',
      },
      stdio: 'pipe',
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const [stdout, stderr, status] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
    if (status !== 0) throw new Error(`docker ${words.join(' ')} ended with ${status}: ${stderr}${stdout}`);
    return stdout.trim();
  }

  /** Logs Docker's client in at the registry, in the name of whom the settings are for. */
  async login(): Promise<void> {
    const { authorizationData } = await this.ecr.send(new ecr.GetAuthorizationTokenCommand({}));
    const token = Buffer.from(authorizationData![0]!.authorizationToken!, 'base64').toString();
    const password = token.slice(token.indexOf(':') + 1);
    await this.docker(['login', '--username', 'AWS', '--password-stdin', REGISTRY], Buffer.from(password));
  }

  /** Builds an image of a Dockerfile and files (`*` at the end of a name: executable). */
  async build(
    name: string,
    dockerfile: string,
    files: Readonly<Record<string, string>> = {},
    context?: string,
  ): Promise<void> {
    const directory = context ?? (await this.#context(files));
    await writeFile(join(directory, 'Dockerfile'), `${dockerfile}\n`);
    await this.docker(['build', '-q', '-t', name, directory]);
  }

  /** Pushes an image to ECR, making the repository; answers the address that functions name. */
  async push(image: string, name: string): Promise<string> {
    const repositoryName = name.replace(/:.*/, '');
    if (!this.#repositories.has(repositoryName)) {
      this.#repositories.add(repositoryName);
      await this.ecr.send(new ecr.CreateRepositoryCommand({ repositoryName }));
    }
    const uri = `${REGISTRY}/${name}`;
    await this.docker(['tag', image, uri]);
    await this.docker(['push', '-q', uri]);
    await this.docker(['rmi', uri]);
    return uri;
  }

  /** Makes a function and waits until it is active. */
  async create(
    FunctionName: string,
    ImageUri: string,
    changes: Partial<lambda.CreateFunctionCommandInput> = {},
  ): Promise<lambda.CreateFunctionCommandOutput> {
    const made = await this.lambda.send(
      new lambda.CreateFunctionCommand({
        FunctionName,
        Role: IMAGE_ROLE,
        PackageType: 'Image',
        Code: { ImageUri },
        Timeout: 20,
        ...changes,
      }),
    );
    await this.active(FunctionName);
    return made;
  }

  async active(FunctionName: string): Promise<void> {
    const waiting = { client: this.lambda, maxWaitTime: 30, minDelay: 0.02, maxDelay: 0.1 };
    await lambda.waitUntilFunctionActiveV2(waiting, { FunctionName });
    await lambda.waitUntilFunctionUpdatedV2(waiting, { FunctionName });
  }

  /** Changes a function's code to what the address means now. */
  async update(FunctionName: string, ImageUri: string): Promise<void> {
    await this.lambda.send(new lambda.UpdateFunctionCodeCommand({ FunctionName, ImageUri }));
    await this.active(FunctionName);
  }

  async invoke(FunctionName: string, event: unknown, Qualifier?: string): Promise<Invoked> {
    const answer = await this.lambda.send(
      new lambda.InvokeCommand({ FunctionName, Qualifier, LogType: 'Tail', Payload: JSON.stringify(event) }),
    );
    const value = JSON.parse(Buffer.from(answer.Payload ?? []).toString() || 'null');
    return {
      error: answer.FunctionError,
      value,
      output: typeof value === 'string' ? Buffer.from(value, 'base64').toString() : undefined,
      log: Buffer.from(answer.LogResult ?? '', 'base64').toString(),
      version: answer.ExecutedVersion,
    };
  }

  /** Has a function of the base image run a script. */
  run(name: string, script: string, qualifier?: string): Promise<Invoked> {
    return this.invoke(name, runEvent(script), qualifier);
  }

  [Symbol.dispose](): void {
    this.lambda.destroy();
    this.ecr.destroy();
  }

  async #context(files: Readonly<Record<string, string>>): Promise<string> {
    const directory = await mkdtemp(join(this.#server.scratch, 'context-'));
    for (const [name, content] of Object.entries(files)) {
      const path = join(directory, name.replace(/\*$/, ''));
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content, { mode: name.endsWith('*') ? 0o755 : 0o644 });
    }
    return directory;
  }
}
