using Chorus.Gpu.Runtime;
using TorchSharp;

namespace Chorus.Gpu.Generation;

/// <summary>One decoding step as a TorchScript program: all of it runs in libtorch, from token to next token, and nothing waits for the host.</summary>
/// <remarks>
/// TorchSharp lacks fused RMSNorm, a typed softmax and reinterpreting views; TorchScript has every operator. A step takes
/// fixed tensors and writes into them, positions included, so that it is the same work every time (and could be captured as
/// a CUDA graph). Shapes: R rows, P prompts, S slots a prompt (R = P S where every prompt has as many), T prompt length, N
/// new tokens, C channels, NH heads, KVH key/value heads, G = NH / KVH, HS head size, V vocabulary. dtype 6 is float32, 7 float64, 3 int32.
/// </remarks>
internal static class DecodeScript
{
    /// <summary>Weights of a layer as the script counts them: two norms, four matrices, each with its bias (empty for none).</summary>
    internal const int TensorsPerLayer = 12;

    /// <summary>The program, for the calling thread.</summary>
    internal static torch.jit.CompilationUnit Compile()
    {
        ScriptExecutor.RunAsWritten();
        return torch.jit.compile(Source + "\n");
    }

    private const string Source = """
        def normed(x, weight, bias, eps: float):
            if bias.numel() == 0:
                return torch.rms_norm(x, [x.size(-1)], weight, eps)
            return torch.layer_norm(x, [x.size(-1)], weight, bias, eps)

        def linear(x, weight, bias):
            if bias.numel() == 0:
                return torch.linear(x, weight)
            return torch.linear(x, weight, bias)

        # [R, NH, HS] to [P, KVH, S G, HS]: queries of one prompt meet its keys in one product. Rows without a neighbour leave empty slots.
        def to_slots(x, slots, prompts: int, per_prompt: int, heads: int):
            size = x.size(-1)
            if slots.numel() > 0:
                x = torch.zeros([prompts * per_prompt, x.size(1), size], dtype=x.dtype, device=x.device).index_copy_(0, slots, x)
            return x.view(prompts, per_prompt, heads, -1, size).transpose(1, 2).reshape(prompts, heads, -1, size)

        # [P, KVH, S G, D] to [R, KVH, G, D]
        def to_rows(x, slots, prompts: int, per_prompt: int, heads: int):
            size = x.size(-1)
            x = x.view(prompts, heads, per_prompt, -1, size).transpose(1, 2).reshape(prompts * per_prompt, heads, -1, size)
            if slots.numel() > 0:
                x = x.index_select(0, slots)
            return x

        # One softmax over prompt and new tokens, in float32; bias [R, 1, 1, T + N] is -inf on padding and on what is not yet there.
        def attend(q, prompt_key, prompt_value, new_key, new_value, bias, slots, prompts: int, per_prompt: int, scale: float):
            rows, heads, time = q.size(0), new_key.size(1), prompt_key.size(2)
            of_prompt = torch.matmul(to_slots(q, slots, prompts, per_prompt, heads), prompt_key.transpose(-1, -2))
            of_new = torch.matmul(q.view(rows, heads, -1, q.size(-1)), new_key.transpose(-1, -2))
            scores = torch.cat([to_rows(of_prompt, slots, prompts, per_prompt, heads), of_new], -1)
            weights = torch.softmax(torch.add(bias, scores, alpha=scale), -1, 6).to(q.dtype)
            group = weights.size(2)
            mixed = torch.matmul(to_slots(weights.narrow(-1, 0, time).reshape(rows, heads * group, time), slots, prompts, per_prompt, heads), prompt_value)
            mixed = to_rows(mixed, slots, prompts, per_prompt, heads)
            return (mixed + torch.matmul(weights.narrow(-1, time, new_key.size(2)), new_value)).reshape(rows, -1)

        def activated(x, kind: int):
            if kind == 0:
                half = x.size(-1) // 2
                return torch.silu(x.narrow(-1, 0, half)).mul_(x.narrow(-1, half, half))
            if kind == 1:
                return torch.gelu(x, approximate="tanh")
            if kind == 2:
                return torch.gelu(x)
            if kind == 3:
                return torch.relu(x)
            return torch.silu(x)

        # Keeps the k largest of each row, the rest 0; of equals at the edge those of lower id.
        def top_k(p, k: int):
            smallest = torch.topk(p, k)[0].narrow(-1, k - 1, 1)
            above = p > smallest
            equal = p == smallest
            room = k - above.sum([-1], True)
            return p * (above | (equal & (torch.cumsum(equal, -1) <= room)))

        # Bits of floats that are 0 or more to these floats: there is no view that would read them so. Rounded back to float32, exact.
        def float_of(bits):
            exponent = bits // 8388608
            fraction = (bits - exponent * 8388608).to(7)
            normal = (1. + fraction / 8388608.) * torch.exp2(exponent.to(7) - 127.)
            return torch.where(exponent > 0, normal, fraction * torch.exp2(torch.full_like(fraction, -149.))).to(6)

        # Keeps the largest of each row that together reach share of its sum. Floats above 0 are ordered as their bits are, so
        # halving an interval of bits 31 times finds the smallest probability kept, without sorting the vocabulary.
        def top_p(p, share: float):
            goal = p.sum([-1], True, dtype=7) * share
            low = torch.zeros([p.size(0), 1], dtype=3, device=p.device)
            high = low + 0x3F800001
            for i in range(31):
                middle = low + (high - low) // 2
                reaches = (p * (p >= float_of(middle))).sum([-1], True, dtype=7) >= goal
                low = torch.where(reaches, middle, low)
                high = torch.where(reaches, high, middle)
            smallest = float_of(low)
            above = p > smallest
            equal = p == smallest
            before = (p * above).sum([-1], True, dtype=7) + (torch.cumsum(equal, -1) - 1) * smallest
            return p * (above | (equal & (before < goal)))

        # Inverts the cumulative sum of each row at u [R], in order of id: first the block of 256 in which it is reached, then the id
        # in it. Gives the sums too.
        def invert(p, u):
            rows, width = p.size(0), 256
            if p.size(1) % width != 0:
                p = torch.constant_pad_nd(p, [0, width - p.size(1) % width], 0.)
            blocks = p.view(rows, -1, width)
            cumulative = torch.cumsum(blocks.sum([-1], dtype=7), -1)
            total = cumulative.narrow(-1, cumulative.size(1) - 1, 1)
            # Just below the whole, rounding could find no block at all.
            at = torch.minimum(u.unsqueeze(1) * total, total * (1. - 1e-15))
            block = (cumulative <= at).sum([-1], True).clamp_(max=blocks.size(1) - 1)
            inside = blocks.gather(1, block.unsqueeze(2).expand(rows, 1, width)).squeeze(1)
            before = torch.where(block > 0, cumulative.gather(1, (block - 1).clamp_(min=0)), torch.zeros_like(at))
            place = (before + torch.cumsum(inside, -1, dtype=7) <= at).sum([-1])
            last = ((inside > 0) * torch.arange(width, device=p.device)).amax([-1])
            return block.squeeze(1) * width + torch.minimum(place, last), total.squeeze(1)

        # logits [R, V] and u [R] in [0, 1) to ids [R], and whether each row could be drawn from at all: a logit that is no
        # number, or infinite, leaves no finite sum of probabilities.
        def draw(logits, u, temperature: float, k: int, share: float):
            if temperature == 0.:
                largest, chosen = torch.max(logits, -1)
                return chosen, torch.isfinite(largest)
            p = torch.softmax(logits, -1, 6) if temperature == 1. else torch.softmax(logits.to(6) / temperature, -1)
            if k > 0 and k < p.size(1):
                p = top_k(p, k)
                if share < 1.:
                    # The k that are left, in order of id: all else is 0.
                    ids = torch.sort(torch.topk(p, k)[1], -1)[0]
                    place, kept = invert(top_p(p.gather(1, ids), share), u)
                    return ids.gather(1, place.unsqueeze(1)).squeeze(1), torch.isfinite(kept) & (kept > 0)
            elif share < 1.:
                p = top_p(p, share)
            chosen, total = invert(p, u)
            return chosen, torch.isfinite(total) & (total > 0)

        # Takes token and position [R] of every row, writes the next token into out [R, M] and token, and moves on: position and at
        # (int64 [1], new tokens so far) grow by one, and bias lets the token just read be seen. new: how far the rows' caches are looked at.
        def step(token, position, at, out, sound, uniforms, bias, slots, cos, sin, embedding, positions, final: List[Tensor], layers: List[Tensor],
                 cache: List[Tensor], prompts: int, per_prompt: int, new: int, activation: int, scale: float, eps: float, temperature: float, k: int, share: float):
            x = embedding.index_select(0, token)
            rows, size = x.size(0), cache[0].size(-1)
            heads = cache[0].size(1)
            time = cache[0].size(2)
            bias.index_fill_(3, at + time, 0.)
            seen = bias.narrow(3, 0, time + new)
            if positions.numel() > 0:
                x = x + positions.index_select(0, position)
                turn_cos, turn_sin = x, x
            else:
                turn_cos, turn_sin = cos.index_select(0, position).unsqueeze(1), sin.index_select(0, position).unsqueeze(1)
            for l in range(len(layers) // 12):
                w = layers[l * 12:l * 12 + 12]
                all = linear(normed(x, w[0], w[1], eps), w[2], w[3]).view(rows, -1, size)
                turning = all.narrow(1, 0, all.size(1) - heads)
                if positions.numel() == 0:
                    # The whole is rolled, values too: it is contiguous, and a part of it would be copied first.
                    rolled = torch.roll(all, [size // 2], [-1]).narrow(1, 0, all.size(1) - heads)
                    turning = torch.addcmul(turning * turn_cos, rolled, turn_sin)
                new_key, new_value = cache[l * 4 + 2], cache[l * 4 + 3]
                new_key.index_copy_(2, at, turning.narrow(1, turning.size(1) - heads, heads).unsqueeze(2))
                new_value.index_copy_(2, at, all.narrow(1, all.size(1) - heads, heads).unsqueeze(2))
                mixed = attend(turning.narrow(1, 0, turning.size(1) - heads), cache[l * 4], cache[l * 4 + 1],
                               new_key.narrow(2, 0, new), new_value.narrow(2, 0, new), seen, slots, prompts, per_prompt, scale)
                x.addmm_(mixed, w[4].t())
                if w[5].numel() > 0:
                    x.add_(w[5])
                x.addmm_(activated(linear(normed(x, w[6], w[7], eps), w[8], w[9]), activation), w[10].t())
                if w[11].numel() > 0:
                    x.add_(w[11])
            at.add_(1)
            position.add_(1)
            chosen, good = draw(torch.linear(normed(x, final[0], final[1], eps), final[2]), uniforms.index_select(1, at).squeeze(1), temperature, k, share)
            token.copy_(chosen)
            sound.logical_and_(good)
            out.index_copy_(1, at, chosen.unsqueeze(1))
            return token
        """;
}
