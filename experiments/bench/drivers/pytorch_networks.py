"""The UNet2D and WRN of algorithms/models in PyTorch, with the same parameter names, and the gradient through purification."""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint


class ResnetBlock(nn.Module):
    def __init__(self, inputs, outputs, c):
        super().__init__()
        self.norm1 = nn.GroupNorm(c["norm_num_groups"], inputs, c["norm_eps"])
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time_emb_proj = nn.Linear(4 * c["block_out_channels"][0], outputs)
        self.norm2 = nn.GroupNorm(c["norm_num_groups"], outputs, c["norm_eps"])
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        if inputs != outputs:
            self.conv_shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x, time):
        h = self.conv1(F.silu(self.norm1(x))) + self.time_emb_proj(time)[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x)


class Attention(nn.Module):
    """Self-attention over positions; a single head."""

    def __init__(self, channels, c):
        super().__init__()
        self.group_norm = nn.GroupNorm(c["norm_num_groups"], channels, c["norm_eps"])
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x):
        h = self.group_norm(x).flatten(2).transpose(1, 2)
        q, k, v = self.to_q(h), self.to_k(h), self.to_v(h)
        h = torch.softmax((q * q.shape[-1] ** -0.5) @ k.transpose(1, 2), -1) @ v
        return x + self.to_out[0](h).transpose(1, 2).reshape(x.shape)


class Stage(nn.Module):
    """Residual blocks, each followed by attention if the stage attends."""

    def __init__(self, inputs, outputs, attends, c):
        super().__init__()
        if attends:
            self.attentions = nn.ModuleList([Attention(outputs, c) for _ in inputs])
        self.resnets = nn.ModuleList([ResnetBlock(n, outputs, c) for n in inputs])

    def layer(self, i, x, time):
        x = self.resnets[i](x, time)
        return self.attentions[i](x) if hasattr(self, "attentions") else x


class Resampler(nn.Module):
    def __init__(self, channels, **geometry):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, **geometry)


class Mid(nn.Module):
    def __init__(self, channels, c):
        super().__init__()
        self.attentions = nn.ModuleList([Attention(channels, c)])
        self.resnets = nn.ModuleList([ResnetBlock(channels, channels, c) for _ in range(2)])

    def forward(self, x, time):
        return self.resnets[1](self.attentions[0](self.resnets[0](x, time)), time)


class TimeEmbedding(nn.Module):
    def __init__(self, first):
        super().__init__()
        self.linear_1 = nn.Linear(first, 4 * first)
        self.linear_2 = nn.Linear(4 * first, 4 * first)


class UNet2d(nn.Module):
    """Configurations with positional embedding, one head, downsample_padding 0 and scale factor 1, as the converted originals."""

    def __init__(self, c):
        super().__init__()
        channels, layers = c["block_out_channels"], c["layers_per_block"]
        self.config = c
        self.conv_in = nn.Conv2d(c["in_channels"], channels[0], 3, padding=1)
        self.time_embedding = TimeEmbedding(channels[0])
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        skips, current = [channels[0]], channels[0]
        for level, outputs in enumerate(channels):
            stage = Stage([current] + [outputs] * (layers - 1), outputs, c["down_block_types"][level].startswith("Attn"), c)
            skips += [outputs] * layers
            if level < len(channels) - 1:
                stage.downsamplers = nn.ModuleList([Resampler(outputs, stride=2)])
                skips.append(outputs)
            self.down_blocks.append(stage)
            current = outputs
        self.mid_block = Mid(current, c)
        for level, outputs in enumerate(reversed(channels)):
            inputs = []
            for _ in range(layers + 1):
                inputs.append(current + skips.pop())
                current = outputs
            stage = Stage(inputs, outputs, c["up_block_types"][level].startswith("Attn"), c)
            if level < len(channels) - 1:
                stage.upsamplers = nn.ModuleList([Resampler(outputs, padding=1)])
            self.up_blocks.append(stage)
        self.conv_norm_out = nn.GroupNorm(c["norm_num_groups"], channels[0], c["norm_eps"])
        self.conv_out = nn.Conv2d(channels[0], c["out_channels"], 3, padding=1)

    def time_features(self, t):
        half = self.config["block_out_channels"][0] // 2
        frequencies = torch.exp(-math.log(10000) * torch.arange(half) / (half - self.config["freq_shift"]))
        angles = torch.tensor(t)[:, None] * frequencies[None]
        raw = torch.cat([torch.sin(angles), torch.cos(angles)], 1)
        return F.silu(self.time_embedding.linear_2(F.silu(self.time_embedding.linear_1(raw))))

    def forward(self, x, t):
        time = self.time_features(t)
        h = self.conv_in(x)
        skips = [h]
        for stage in self.down_blocks:
            for i in range(len(stage.resnets)):
                h = stage.layer(i, h, time)
                skips.append(h)
            if hasattr(stage, "downsamplers"):
                h = stage.downsamplers[0].conv(F.pad(h, (0, 1, 0, 1)))
                skips.append(h)
        h = self.mid_block(h, time)
        for stage in self.up_blocks:
            for i in range(len(stage.resnets)):
                h = stage.layer(i, torch.cat([h, skips.pop()], 1), time)
            if hasattr(stage, "upsamplers"):
                h = stage.upsamplers[0].conv(F.interpolate(h, scale_factor=2.0, mode="nearest"))
        return self.conv_out(F.silu(self.conv_norm_out(h)))


class WideBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        if inputs != outputs:
            self.convShortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x):
        first = F.relu(self.bn1(x))
        h = self.conv2(F.relu(self.bn2(self.conv1(first))))
        return h + (self.convShortcut(first) if hasattr(self, "convShortcut") else x)


class WideStage(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.layer = nn.Sequential(*blocks)


class WideResNet(nn.Module):
    def __init__(self, depth, widen_factor):
        super().__init__()
        widths = [16, *(width * widen_factor for width in (16, 32, 64))]
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        for i in (1, 2, 3):
            first = WideBlock(widths[i - 1], widths[i], 1 if i == 1 else 2)
            others = [WideBlock(widths[i], widths[i], 1) for _ in range((depth - 4) // 6 - 1)]
            setattr(self, f"block{i}", WideStage([first, *others]))
        self.bn1 = nn.BatchNorm2d(widths[3])
        self.fc = nn.Linear(widths[3], 10)

    def forward(self, x):
        h = self.block3.layer(self.block2.layer(self.block1.layer(self.conv1(x))))
        return self.fc(F.relu(self.bn1(h)).mean((2, 3)))


def purification_gradient(unet, classifier, images, noise, intervals):
    """The gradient of purify.ts with reverse DDPM (fixedLarge), clipping and checkpointing, into the mean cross-entropy."""
    abar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0).tolist()
    images = images.detach().requires_grad_()
    t0 = intervals[0]["t"]
    x = abar[t0] ** 0.5 * (images * 2 - 1) + (1 - abar[t0]) ** 0.5 * noise[0]
    for i, interval in enumerate(intervals):
        t, s = interval["t"], interval["s"]
        abar_t, abar_s = abar[t], abar[s] if s >= 0 else 1.0
        b = 1 - abar_t / abar_s

        def step(x, t=t, s=s, abar_t=abar_t, abar_s=abar_s, b=b, z=noise[1 + i]):
            x0 = ((x - (1 - abar_t) ** 0.5 * unet(x, [t] * len(x))) / abar_t**0.5).clamp(-1, 1)
            if s < 0:
                return x0
            mean = abar_s**0.5 * b / (1 - abar_t) * x0 + (abar_t / abar_s) ** 0.5 * (1 - abar_s) / (1 - abar_t) * x
            return mean + b**0.5 * z

        x = checkpoint(step, x, use_reentrant=False)
    logits = classifier(((x + 1) * 0.5).clamp(0, 1))
    loss = F.cross_entropy(logits, torch.arange(len(images)))
    return torch.autograd.grad(loss, images)[0]
