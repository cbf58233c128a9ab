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
  refuseSettingsOfPackages(input);
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
    refuseSettingsOfPackages(input);
    checkImageConfig(input.ImageConfig);
  } else if (input.ImageConfig) {
    throw invalidParameter('ImageConfig parameters are not supported for functions created with deployment packages.');
  }
}

/** In Lambda's words. */
function refuseSettingsOfPackages(input: Pick<CreateFunctionCommandInput, 'Runtime' | 'Handler' | 'Layers'>): void {
  if (input.Runtime || input.Handler || input.Layers?.length) {
    throw invalidParameter(
      "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image.",
    );
  }
}

function checkImageConfig(config: ImageConfig | undefined): void {
  const constraints = new Constraints();
  constraints.length('imageConfig.entryPoint', config?.EntryPoint, 0, 1500);
  constraints.length('imageConfig.command', config?.Command, 0, 1500);
  constraints.length('imageConfig.workingDirectory', config?.WorkingDirectory, 0, 1000);
  constraints.check();
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
