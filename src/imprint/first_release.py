"""What was hashed and written down before classes had kinds: their import paths, as of the first release.

This table is frozen. A class may move or be renamed: its line stays, since folders of runs, fingerprints of scores and
cached pictures are named by hashes over these paths, and old manifests name classes by them. A class that came later
has no line: its kind is hashed.
"""

from collections.abc import Mapping

PATHS: Mapping[str, str] = {
    "model/sd": "imprint.families.sd_source.StableDiffusionSource",
    "sampler/diffusers": "imprint.types.Sampler",
    "method/adopted": "imprint.methods.adopted.Adopted",
    "method/custom_diffusion": "imprint.methods.custom_diffusion.CustomDiffusion",
    "method/dreambooth": "imprint.methods.dreambooth.DreamBooth",
    "method/dylora": "imprint.methods.dylora.DyLoRA",
    "method/loha": "imprint.methods.loha.LoHa",
    "method/lokr": "imprint.methods.lokr.LoKr",
    "method/lora": "imprint.methods.lora.LoRA",
    "method/pivotal": "imprint.methods.pivotal.Pivotal",
    "method/textual_inversion": "imprint.methods.textual_inversion.TextualInversion",
    "dataset/folder": "imprint.data.folder.PictureFolder",
    "dataset/hub": "imprint.data.hub.HubDataset",
    "dataset/joint": "imprint.data.joint.JointDataset",
    "collection/concept_list": "imprint.data.collections.concept_list.ConceptList",
    "collection/folders": "imprint.data.collections.folders.SubjectFolders",
    "collection/listed": "imprint.data.collections.listed.ListedSubjects",
    "prior/none": "imprint.data.prior.NoPrior",
    "prior/generated": "imprint.data.prior.GeneratedPrior",
    "prior/folder": "imprint.data.prior.FolderPrior",
    "prior/base_prediction": "imprint.data.prior.BasePrediction",
    "objective/noise_prediction": "imprint.objectives.noise_prediction.NoisePrediction",
    "weighting/uniform": "imprint.objectives.weighting.Uniform",
    "weighting/min_snr": "imprint.objectives.weighting.MinSNR",
    "hparams/default": "imprint.training.hparams.HParams",
    "rate/diffusers": "imprint.training.hparams.RateSchedule",
    "optimizer/adamw": "torch.optim.AdamW",
    "optimizer/adamw8bit": "bitsandbytes.optim.AdamW8bit",
    "optimizer/sgd": "torch.optim.SGD",
    "trainer/lightning": "imprint.training.trainer.TrainerSettings",
    "samples/protocol": "imprint.evaluation.samples.SampleProtocol",
    "watch/default": "imprint.evaluation.watch.Watch",
    "evaluation/profile": "imprint.evaluation.profile.Profile",
    "prompt_set/templates": "imprint.evaluation.prompts.PromptSet",
    "encoder/clip": "imprint.evaluation.encoders.clip.Clip",
    "encoder/lpips": "imprint.evaluation.encoders.lpips.Lpips",
    "encoder/vit": "imprint.evaluation.encoders.vit.Vit",
    "transform/pillow": "imprint.evaluation.encoders.transform.Transform",
    "metric/clip_i": "imprint.evaluation.metrics.clip_i.ClipI",
    "metric/clip_t": "imprint.evaluation.metrics.clip_t.ClipT",
    "metric/dino": "imprint.evaluation.metrics.dino.Dino",
    "metric/div": "imprint.evaluation.metrics.div.Div",
    "metric/div_features": "imprint.evaluation.metrics.div_features.DivFeatures",
    "metric/drift": "imprint.evaluation.metrics.drift.Drift",
    "metric/fid": "imprint.evaluation.metrics.fid.Fid",
    "metric/kid": "imprint.evaluation.metrics.kid.Kid",
    "metric/memorisation": "imprint.evaluation.metrics.memorisation.Memorisation",
    "metric/overfit": "imprint.evaluation.metrics.overfit.Overfit",
    "metric/pres": "imprint.evaluation.metrics.pres.Pres",
    "metric/vendi": "imprint.evaluation.metrics.vendi.Vendi",
    "report/default": "imprint.reporting.reporter.Reporter",
    "logger/csv": "imprint.reporting.tracking.csv.Csv",
    "logger/tensorboard": "imprint.reporting.tracking.tensorboard.TensorBoard",
}
KINDS: Mapping[str, str] = {path: kind for kind, path in PATHS.items()}
CLASS_NAMES: Mapping[str, str] = {path.rpartition(".")[2]: kind for kind, path in PATHS.items()}
