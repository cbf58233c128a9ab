import type {
  CreateFunctionCommandInput,
  ImageConfig,
  UpdateFunctionCodeCommandInput,
  UpdateFunctionConfigurationCommandInput,
} from '@aws-sdk/client-lambda';
import { invalidParameter } from './errors.ts';
import type { VersionRecord } from './model.ts';
import { Constraints } from './validation.ts';

/** A package and an image exclude each other. Source: Lambda API Reference, "CreateFunction" and "UpdateFunctionCode". */

/** Checks that what CreateFunction names goes with its package type. */
export function checkPackage(input: CreateFunctionCommandInput): void {
  const isImage = input.PackageType === 'Image';
  if (!isImage) {
    if (input.Code?.ImageUri) {
      throw invalidParameter("Please don't provide ImageUri when creating a function with packageType Zip.");
    }
    if (input.ImageConfig) {
      throw invalidParameter(
        'ImageConfig parameters are not supported for functions created with deployment packages.',
      );
    }
    if (input.Runtime && input.Handler) return;
    throw invalidParameter(
      'Runtime and Handler are mandatory parameters for functions created with deployment packages.',
    );
  }
  if (!input.Code?.ImageUri)
    throw invalidParameter('Please provide ImageUri when creating a function with packageType Image.');
  refuseSettingsOfPackages(input, 'creating');
  checkImageConfig(input.ImageConfig);
}

/** Checks that the new code is of the kind that the function was made with. */
export function checkSamePackage({ code }: VersionRecord, input: UpdateFunctionCodeCommandInput): void {
  if (code.image && !input.ImageUri) {
    throw invalidParameter('Please provide ImageUri when updating a function with packageType Image.');
  }
  if (!code.image && input.ImageUri) {
    throw invalidParameter("Please don't provide ImageUri when updating a function with packageType Zip.");
  }
}

export function checkSettingsOfPackage({ code }: VersionRecord, input: UpdateFunctionConfigurationCommandInput): void {
  if (code.image) {
    refuseSettingsOfPackages(input, 'updating');
    checkImageConfig(input.ImageConfig);
  } else if (input.ImageConfig) {
    throw invalidParameter('ImageConfig parameters are not supported for functions created with deployment packages.');
  }
}

function refuseSettingsOfPackages(
  input: Pick<CreateFunctionCommandInput, 'Runtime' | 'Handler' | 'Layers'>,
  doing: 'creating' | 'updating',
): void {
  const given = (['Runtime', 'Handler', 'Layers'] as const).filter((name) => input[name]?.length);
  if (given.length > 0) {
    throw invalidParameter(
      `Please don't provide ${given.join(' or ').toLowerCase()} when ${doing} a function with packageType Image.`,
    );
  }
}

function checkImageConfig(config: ImageConfig | undefined): void {
  const constraints = new Constraints();
  constraints.length('imageConfig.workingDirectory', config?.WorkingDirectory, 0, 1000);
  constraints.check();
  for (const [name, words] of [
    ['entryPoint', config?.EntryPoint],
    ['command', config?.Command],
  ] as const) {
    if ((words?.length ?? 0) > 1500) throw invalidParameter(`imageConfig.${name} has more than 1500 members.`);
  }
  if (config?.WorkingDirectory && !config.WorkingDirectory.startsWith('/')) {
    throw invalidParameter(`imageConfig.workingDirectory must be an absolute path, not ${config.WorkingDirectory}`);
  }
}

/** What is kept of an ImageConfig; empty members mean the image's own setting again. */
export function imageConfigOf(config: ImageConfig | undefined): Pick<VersionRecord, 'imageConfig'> {
  if (config === undefined) return {};
  const { Command, EntryPoint, WorkingDirectory } = config;
  return {
    imageConfig: {
      ...(EntryPoint?.length ? { entryPoint: EntryPoint } : {}),
      ...(Command?.length ? { command: Command } : {}),
      ...(WorkingDirectory ? { workingDirectory: WorkingDirectory } : {}),
    },
  };
}
