"""The table of contents: one line a system, plain data, read without importing anything heavy."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from contraview.core.errors import InputError

Kind = Literal["paper", "framework", "app"]


@dataclass(frozen=True)
class Entry:
    """One line of the catalog.

    Attributes:
        slug: what the command and the file names call it.
        name: what its authors call it.
        paper: title and year; an arXiv number or DOI where there is one.
        modality: the kind of data it works on.
        verbs: what it can be asked to do once it is fitted, beside `fit`.
        target: ``module:Class``; empty while the system is not built.
        kind: a published system, a plain framework, or an application made of several systems.
    """

    slug: str
    name: str
    paper: str
    modality: str
    verbs: str
    target: str = ""
    kind: Kind = "paper"

    @property
    def built(self) -> bool:
        """Whether this version can fit it."""
        return bool(self.target)

    @property
    def class_name(self) -> str:
        """The name under which the package offers it."""
        return self.target.partition(":")[2]

    def load_class(self) -> Any:
        """Import the system's module and give its class."""
        if not self.built:
            raise InputError(
                f"{self.slug}: {self.name} is not built in this version; "
                f"`contraview list` shows which systems are"
            )
        module, _, name = self.target.partition(":")
        return getattr(import_module(module), name)


# fmt: off
ENTRIES: tuple[Entry, ...] = (
    Entry("detector", "Default network detector", "CLAN and three classical views, calibrated on benign flows", "flows", "score", "contraview.apps.detection.detector:Detector", "app"),
    Entry("simclr", "SimCLR", "A Simple Framework for Contrastive Learning of Visual Representations, 2020, arXiv:2002.05709", "images", "embed search classify", "contraview.frameworks.images.simclr:SimCLR", "framework"),
    Entry("moco", "MoCo", "Momentum Contrast for Unsupervised Visual Representation Learning, 2019, arXiv:1911.05722", "images", "embed search classify", "contraview.frameworks.images.moco:MoCo", "framework"),
    Entry("simsiam", "SimSiam", "Exploring Simple Siamese Representation Learning, 2020, arXiv:2011.10566", "images", "embed search classify", "contraview.frameworks.images.simsiam:SimSiam", "framework"),
    Entry("ad_l_jepa", "AD-L-JEPA", "Self-Supervised Spatial World Models with JEPA for Autonomous Driving with LiDAR Data, 2025, arXiv:2501.04969", "lidar", "embed detect_objects"),
    Entry("alice", "Alice", "Anatomical Invariance Modeling and Semantic Alignment for Self-supervised Learning in 3D Medical Image Analysis, 2023, arXiv:2302.05615", "volumes", "embed segment"),
    Entry("astrom3", "AstroM3", "A self-supervised multimodal model for astronomy, 2024, arXiv:2411.08842", "light curves, spectra, tables", "embed search classify"),
    Entry("audio_sheet", "Audio-Sheet retrieval", "Self-Supervised Contrastive Learning for Robust Audio-Sheet Music Retrieval Systems, 2023, arXiv:2309.12134", "audio, sheet music", "embed search"),
    Entry("biosignals", "Wearable biosignals", "Large-scale Training of Foundation Models for Wearable Biosignals, 2023, arXiv:2312.05409", "biosignals", "embed search regress", "contraview.systems.biosignals:Biosignals"),
    Entry("biovil", "BioViL", "Making the Most of Text Semantics to Improve Biomedical Vision-Language Processing, 2022, arXiv:2204.09817", "images, text", "embed search classify ground"),
    Entry("calico", "CALICO", "Self-Supervised Camera-LiDAR Contrastive Pre-training for BEV Perception, 2023, arXiv:2306.00349", "camera, lidar", "embed detect_objects segment"),
    Entry("clan", "CLAN", "Contrastive Self-Supervised Network Intrusion Detection using Augmented Negative Pairs, 2025, doi:10.1109/CSR64739.2025.11129979", "flows", "embed score classify", "contraview.systems.clan:Clan"),
    Entry("clean_clip", "CleanCLIP", "Mitigating Data Poisoning Attacks in Multimodal Contrastive Learning, 2023, arXiv:2303.03323", "images, text", "embed search classify audit", "contraview.systems.clean_clip:CleanClip"),
    Entry("clippings", "CLIPPINGS", "Linking Representations with Multimodal Contrastive Learning, 2023, arXiv:2304.03464", "images, text", "embed link cluster"),
    Entry("clmr", "CLMR", "Contrastive Learning of Musical Representations, 2021, arXiv:2103.09410", "audio", "embed search classify"),
    Entry("cm_unet", "CM-UNet", "A Self-Supervised Learning-Based Model for Coronary Artery Segmentation in X-Ray Angiography, 2025, arXiv:2507.17779", "images", "segment", "contraview.systems.cm_unet:CmUnet"),
    Entry("co_reward", "Co-Reward", "Self-supervised RL for LLM Reasoning via Contrastive Agreement, 2025, arXiv:2508.00410", "text", "respond"),
    Entry("contrastive_ucb", "Contrastive UCB", "Provably Efficient Contrastive Self-Supervised Learning in Online RL, 2022, arXiv:2207.14800", "environments", "act", "contraview.systems.contrastive_ucb:ContrastiveUcb"),
    Entry("core_tuning", "Core-tuning", "Unleashing the Power of Contrastive Self-Supervised Visual Models via Contrast-Regularized Fine-Tuning, 2021, arXiv:2102.06605", "images", "embed search classify", "contraview.systems.core_tuning:CoreTuning"),
    Entry("dccf", "DCCF", "Disentangled Contrastive Collaborative Filtering, 2023, arXiv:2305.02759", "user-item logs", "embed recommend"),
    Entry("discovr", "DISCOVR", "Self-supervised Learning of Echocardiographic Video Representations via Online Cluster Distillation, 2025, arXiv:2506.11777", "video", "embed score classify"),
    Entry("dna_esa", "DNA-ESA", "Embed-Search-Align: DNA Sequence Alignment using Transformer Models, 2023, arXiv:2309.11087", "DNA", "embed search align", "contraview.systems.dna_esa:DnaEsa"),
    Entry("ev_battery", "EV battery capacity", "Learning More with Less: A Generalizable, Self-Supervised Framework for Privacy-Preserving Capacity Estimation with EV Charging Data, 2025, arXiv:2510.05172", "charging records", "embed regress"),
    Entry("floorplan_loc", "Floorplan localisation", "Perspective from a Higher Dimension: Can 3D Geometric Priors Help Visual Floorplan Localization?, 2025, arXiv:2507.18881", "images, floorplans", "embed locate"),
    Entry("g_simclr", "G-SimCLR", "Self-Supervised Contrastive Learning with Guided Projection via Pseudo Labelling, 2020, arXiv:2009.12007", "images", "embed search classify", "contraview.systems.g_simclr:GSimCLR"),
    Entry("gaugllm", "GAugLLM", "Improving Graph Contrastive Learning for Text-Attributed Graphs with Large Language Models, 2024, arXiv:2406.11945", "graphs", "embed classify"),
    Entry("generate_to_ground", "Generate to Ground", "Multimodal Text Conditioning Boosts Phrase Grounding in Medical Vision-Language Models, 2025, arXiv:2507.12236", "images, text", "ground generate"),
    Entry("genview", "GenView", "Enhancing View Quality with Pretrained Generative Model for Self-Supervised Learning, 2024, arXiv:2403.12003", "images", "embed search classify", "contraview.systems.genview:GenView"),
    Entry("graphclip", "GraphCLIP", "Enhancing Transferability in Graph Foundation Models for Text-Attributed Graphs, 2024, arXiv:2410.10329", "graphs, text", "embed classify"),
    Entry("hallucinator", "Hallucinator", "Hallucination Improves the Performance of Unsupervised Visual Representation Learning, 2023, arXiv:2307.12168", "images", "embed search classify", "contraview.systems.hallucinator:Hallucinator"),
    Entry("halp", "HaLP", "Hallucinating Latent Positives for Skeleton-based Self-Supervised Learning of Actions, 2023, arXiv:2304.00387", "skeletons", "embed search classify"),
    Entry("hicmae", "HiCMAE", "Hierarchical Contrastive Masked Autoencoder for Self-Supervised Audio-Visual Emotion Recognition, 2024, arXiv:2401.05698", "video, audio", "embed classify regress"),
    Entry("imaginet", "ImagiNet", "A Multi-Content Dataset for Generalizable Synthetic Image Detection via Contrastive Learning, 2024, arXiv:2407.20020", "images", "embed classify", "contraview.systems.imaginet:ImagiNet"),
    Entry("instruct_clip", "Instruct-CLIP", "Improving Instruction-Guided Image Editing with Automated Data Refinement Using Contrastive Learning, 2025, arXiv:2503.18406", "images, text", "embed score edit"),
    Entry("joint_image_volume", "Joint image-volume SSL", "Joint Self-Supervised Image-Volume Representation Learning with Intra-Inter Contrastive Clustering, 2022, arXiv:2212.01893", "images, volumes", "embed classify segment"),
    Entry("less_is_more", "Less is More", "Selective Reduction of CT Data for Self-Supervised Pre-Training of Deep Learning Models with Contrastive Learning Improves Downstream Classification Performance, 2024, arXiv:2410.14524", "images", "select embed"),
    Entry("lvm_med", "LVM-Med", "Learning Large-Scale Self-Supervised Vision Models for Medical Imaging via Second-order Graph Matching, 2023, arXiv:2306.11925", "images", "embed classify segment"),
    Entry("mirror_bert", "Mirror-BERT", "Fast, Effective, and Self-Supervised: Transforming Masked Language Models into Universal Lexical and Sentence Encoders, 2021, arXiv:2104.08027", "text", "embed search", "contraview.systems.mirror_bert:MirrorBert"),
    Entry("mlvgm_views", "MLVGM views", "A Mutual Information Perspective on Multiple Latent Variable Generative Models for Positive View Generation, 2025, arXiv:2501.13718", "images", "embed search generate classify", "contraview.systems.mlvgm_views:MlvgmViews"),
    Entry("pixcell", "PixCell", "A generative foundation model for digital histopathology images, 2025, arXiv:2506.05127", "images", "generate", "contraview.systems.pixcell:PixCell"),
    Entry("point_cmae", "Point-CMAE", "Bringing Masked Autoencoders Explicit Contrastive Properties for Point Cloud Self-Supervised Learning, 2024, arXiv:2407.05862", "point clouds", "embed classify", "contraview.systems.point_cmae:PointCmae"),
    Entry("projection_head", "Projection head study", "Investigating the Benefits of Projection Head for Representation Learning, 2024, arXiv:2403.11391", "images", "embed search classify audit", "contraview.systems.projection_head:ProjectionHead"),
    Entry("remedi", "ReMeDi", "Resources for Multi-domain, Multi-service, Medical Dialogues, 2021, arXiv:2109.00430", "dialogues", "classify respond"),
    Entry("robustness_scaling", "Robustness scaling study", "The Impact of Scaling Training Data on Adversarial Robustness, 2025", "images", "audit", "contraview.systems.robustness_scaling:RobustnessScaling"),
    Entry("scatsimclr", "ScatSimCLR", "Self-supervised contrastive learning with pretext task regularization for small-scale datasets, 2021, arXiv:2108.13939", "images", "embed search classify", "contraview.systems.scatsimclr:ScatSimCLR"),
    Entry("scgc", "SCGC", "Self-Supervised Contrastive Graph Clustering, 2022, arXiv:2204.12656", "graphs", "embed cluster", "contraview.systems.scgc:Scgc"),
    Entry("selfie", "Selfie", "Self-supervised Pretraining for Image Embedding, 2019, arXiv:1906.02940", "images", "embed search classify", "contraview.systems.selfie:Selfie"),
    Entry("softcon", "SoftCon", "Multi-Label Guided Soft Contrastive Learning for Efficient Earth Observation Pretraining, 2024, arXiv:2405.20462", "images", "embed search classify", "contraview.systems.softcon:SoftCon"),
    Entry("spark_ct", "SparK for small CT sets", "Self-Supervised Pre-Training with Contrastive and Masked Autoencoder Methods for Dealing with Small Datasets in Deep Learning for Medical Imaging, 2023, arXiv:2308.06534", "images", "embed classify"),
    Entry("table_integration", "Robust table integration", "Robust Table Integration in Data Lakes, 2024, arXiv:2412.00324", "tables", "link cluster integrate"),
    Entry("teminal", "TeminAL", "Enhancing Audio-Language Models through Self-Supervised Post-Training with Text-Audio Pairs, 2024, arXiv:2408.09269", "audio, text", "embed search classify"),
    Entry("tips", "TIPS", "Text-Image Pretraining with Spatial awareness, 2024, arXiv:2410.16512", "images, text", "embed search classify segment"),
    Entry("ts_forecast", "Contrastive forecasting", "What Constitutes Good Contrastive Learning in Time-Series Forecasting?, 2023, arXiv:2306.12086", "time series", "forecast", "contraview.systems.ts_forecast:TsForecast"),
    Entry("urlbert", "URLBERT", "A Contrastive and Adversarial Pre-trained Model for URL Classification, 2024, arXiv:2402.11495", "URLs", "embed classify"),
    Entry("video_qa", "Multiple-choice video QA", "Self-supervised pre-training and contrastive representation learning for multiple-choice video QA, 2020, arXiv:2009.08043", "video, text", "answer"),
    Entry("villa", "ViLLA", "Fine-Grained Vision-Language Representation Learning from Real-World Data, 2023, arXiv:2308.11194", "images, text", "embed search ground"),
    Entry("w2v_bert", "w2v-BERT", "Combining Contrastive Learning and Masked Language Modeling for Self-Supervised Speech Pre-Training, 2021, arXiv:2108.06209", "speech", "embed transcribe"),
)
# fmt: on


def find(slug: str) -> Entry:
    """The entry called ``slug``; an `InputError` suggests the nearest name where there is none."""
    for entry in ENTRIES:
        if entry.slug == slug:
            return entry
    from difflib import get_close_matches

    near = get_close_matches(slug, [entry.slug for entry in ENTRIES], n=1)
    hint = f"did you mean {near[0]!r}?" if near else "`contraview list` shows them all"
    raise InputError(f"no system {slug!r}; {hint}")
