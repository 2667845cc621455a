"""PyTorch as a contestant: answers the questions of protocol.ts, one JSON object per line."""

import json
import sys
import time

import torch
import torch.nn.functional as F

from pytorch_networks import UNet2d, WideResNet, purification_gradient

SEED = dict(x=1, y=2, z=3, weight=4, bias=5, mean=6, variance=7, output_gradient=8, forward=20, reverse=21, unet=1000, classifier=2000)


def fill(shape, seed, scale=1.0, offset=0.0):
    """The values of fill.ts."""
    size = 1
    for n in shape:
        size *= n
    mask = 0xFFFFFFFF
    h = (torch.arange(size, dtype=torch.int64) + seed * 0x9E3779B9) & mask
    h = ((h ^ (h >> 16)) * 0x7FEB352D) & mask
    h = ((h ^ (h >> 15)) * 0x846CA68B) & mask
    values = (h.double() / 2**32 - 0.5).float()
    return (values.double() * scale + offset).float().reshape(shape)


def fill_parameters(network, first_seed):
    """The values of fillParameter in fill.ts, seeded by the alphabetical order of the names."""
    with torch.no_grad():
        for i, (name, value) in enumerate(sorted(network.state_dict().items())):
            shape = list(value.shape)
            if len(shape) > 1:
                value.copy_(fill(shape, first_seed + i, (12 * shape[0] / value.numel()) ** 0.5))
            else:
                value.copy_(fill(shape, first_seed + i, 0.2, 1 if name.endswith(("weight", "running_var")) else 0))
    return network.eval()


def with_gradients(inputs, output_shape, f):
    dy = fill(output_shape, SEED["output_gradient"])
    inputs = [x.requires_grad_() for x in inputs]

    def run():
        y = f(*inputs)
        return [y, *torch.autograd.grad(y, inputs, dy)]

    return run


def conv2d(work):
    batch, channels, side, kernel, stride = (work[k] for k in ("batch", "channels", "side", "kernel", "stride"))
    out = -(-side // stride)
    x = fill([batch, channels, side, side], SEED["x"])
    w = fill([channels, channels, kernel, kernel], SEED["weight"])
    dy = fill([batch, channels, out, out], SEED["output_gradient"])
    forward = lambda a, b: F.conv2d(a, b, stride=stride, padding=kernel // 2)
    if work["pass"] == "both":
        return with_gradients([x, w], dy.shape, forward)
    if work["pass"] == "forward":
        return lambda: [forward(x, w)]
    mask = [work["pass"] == "inputGradient", work["pass"] == "weightGradient", False]
    geometry = ([stride] * 2, [kernel // 2] * 2, [1, 1], False, [0, 0], 1, mask)
    return lambda: [g for g in torch.ops.aten.convolution_backward(dy, x, w, None, *geometry) if g is not None]


def adds(work):
    x, y = fill([work["size"]], SEED["x"]).requires_grad_(), fill([work["size"]], SEED["y"])
    dy = fill([work["size"]], SEED["output_gradient"])

    def run():
        total = x
        for _ in range(work["count"]):
            total = total + y
        return [total, *torch.autograd.grad(total, [x], dy)]

    return run


def unet(work):
    network = fill_parameters(UNet2d(work["config"]), SEED["unet"])
    shape = [work["batch"], work["config"]["in_channels"], 32, 32]
    x, t = fill(shape, SEED["x"]), [500] * work["batch"]
    parameters = list(network.parameters())
    if work["pass"] == "forward":
        for p in parameters:
            p.requires_grad_(False)
        return lambda: [network(x, t)]
    dy = fill(shape, SEED["output_gradient"])

    def run():
        y = network(x, t)
        return [y, *torch.autograd.grad(y, parameters, dy)]

    return run


def purification(work):
    network = fill_parameters(UNet2d(work["config"]), SEED["unet"]).requires_grad_(False)
    classifier = fill_parameters(WideResNet(work["depth"], work["widenFactor"]), SEED["classifier"]).requires_grad_(False)
    shape = [work["batch"], work["config"]["in_channels"], 32, 32]
    x = fill(shape, SEED["x"], 1, 0.5)
    noise = [fill(shape, seed, 12**0.5) for seed in [SEED["forward"], *(SEED["reverse"] + i for i in range(len(work["intervals"])))]]
    return lambda: [purification_gradient(network, classifier, x, noise, work["intervals"])]


def prepare(work):
    kind = work["kind"]
    if kind == "matmul":
        a, b = (fill([work["size"]] * 2, SEED[name]) for name in "xy")
        return lambda: [a @ b]
    if kind in ("groupNormSilu", "batchNormRelu"):
        shape, channels = work["shape"], [work["shape"][1]]
        inputs = [fill(shape, SEED["x"]), fill(channels, SEED["weight"], 1, 1), fill(channels, SEED["bias"])]
        if kind == "groupNormSilu":
            return with_gradients(inputs, shape, lambda x, w, b: F.silu(F.group_norm(x, work["groups"], w, b)))
        mean, variance = fill(channels, SEED["mean"]), fill(channels, SEED["variance"], 1, 1)
        return with_gradients(inputs, shape, lambda x, w, b: F.relu(F.batch_norm(x, mean, variance, w, b, work["train"])))
    if kind == "attention":
        shape = [work["heads"], work["perHead"], work["positions"]]
        # PyTorch's own layout: positions before channels.
        inputs = [fill(shape, SEED[name]).transpose(1, 2).contiguous() for name in "xyz"]
        dy = fill(shape, SEED["output_gradient"]).transpose(1, 2).contiguous()
        inputs = [x.requires_grad_() for x in inputs]

        def run():
            q, k, v = inputs
            y = torch.softmax((q * work["perHead"] ** -0.5) @ k.transpose(1, 2), -1) @ v
            return [y, *torch.autograd.grad(y, inputs, dy)]

        return run
    if kind == "chain":
        x, y = (fill(work["shape"], SEED[name]) for name in "xy")

        def chain():
            z = x * 1.5 + y
            return [F.relu(z * torch.sigmoid(z) - x)]

        return chain
    return {"conv2d": conv2d, "adds": adds, "unet": unet, "purification": purification}[kind](work)


def sample(run, least_ms):
    cpu, start, repetitions, wall = time.process_time(), time.perf_counter(), 0, 0.0
    while repetitions == 0 or wall * 1000 < least_ms:
        run()
        repetitions += 1
        wall = time.perf_counter() - start
    cpu = time.process_time() - cpu
    return {"wallMs": wall * 1000 / repetitions, "cpuMs": cpu * 1000 / repetitions, "repetitions": repetitions}


def blas():
    """The BLAS in use. Debian's libblas3, taken when no other is installed, is the slow reference implementation."""
    try:
        with open("/proc/self/maps") as maps:
            files = {line.split("/")[-1].strip() for line in maps if "blas" in line.split("/")[-1]}
    except OSError:
        return "BLAS unknown"
    if not files:
        return "its own BLAS"
    if all(name.startswith("libblas.so.3.") for name in files):
        return "reference BLAS, ten times slower than others; apt-get install libopenblas0"
    return "BLAS " + ", ".join(sorted(files))


def main():
    torch.set_num_threads(int(sys.argv[1]))
    torch.set_num_interop_threads(1)
    send = lambda answer: print(json.dumps(answer), flush=True)
    send({"hello": {"version": f"{torch.__version__} ({blas()})"}})
    run = None
    for line in sys.stdin:
        question = json.loads(line)
        try:
            if "prepare" in question:
                run = prepare(question["prepare"])
                send({"prepared": {"checksum": sum(float(y.detach().double().abs().mean()) for y in run())}})
            elif "sample" in question:
                send({"sample": sample(run, question["sample"]["leastMs"])})
            else:
                run = None
                send({"released": True})
        except Exception as error:
            send({"cannot": f"{type(error).__name__}: {error}".split("\n")[0]})


main()
