using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Chorus.Dashboard;

/// <summary>
/// Refuses every request that the page itself would not make, before anything is done for it. Targets are compared as they
/// came over the wire, with no decoding: there is no path to walk out of.
/// </summary>
/// <param name="hosts">What the Host header may say: a page of another name that was made to point here is refused (DNS rebinding).</param>
/// <param name="targets">All that there is, with the one method that each is asked by.</param>
internal sealed class Guard(IReadOnlySet<string> hosts, IReadOnlyDictionary<string, string> targets)
{
    /// <summary>Nothing from elsewhere, nothing inline, no frame around it, no form, no base.</summary>
    private const string ContentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    public Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = ContentSecurityPolicy;
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers.CacheControl = "no-store";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        return Refusal(context.Request) is var (status, reason) ? RefuseAsync(context, status, reason) : next(context);
    }

    public static Task RefuseAsync(HttpContext context, int status, string reason)
    {
        context.Response.StatusCode = status;
        // What else came over this connection may be part of the same trick.
        context.Response.Headers.Connection = "close";
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync($"{reason}\n", context.RequestAborted);
    }

    private (int Status, string Reason)? Refusal(HttpRequest request)
    {
        var target = request.HttpContext.Features.Get<IHttpRequestFeature>()!.RawTarget;
        if (request.Headers.Host is not [{ } host] || !hosts.Contains(host))
            return (StatusCodes.Status421MisdirectedRequest, "this page is asked for under its own address only");
        if (request.Headers.ContainsKey("Transfer-Encoding") || request.Headers.ContainsKey("Upgrade"))
            return (StatusCodes.Status400BadRequest, "no request here has a body, or becomes something else");
        if (request.ContentLength is > 0)
            return (StatusCodes.Status413PayloadTooLarge, "no request here has a body");
        if (!targets.TryGetValue(target, out var method))
            return (StatusCodes.Status404NotFound, "there is no such thing here");
        if (request.Method != method && !(method == HttpMethods.Get && request.Method == HttpMethods.Head && target != "/events"))
        {
            request.HttpContext.Response.Headers.Allow = method;
            return (StatusCodes.Status405MethodNotAllowed, $"this is asked for by {method}");
        }

        return IsFromElsewhere(request, host, target) ? (StatusCodes.Status403Forbidden, "pages of elsewhere may not ask this") : null;
    }

    /// <summary>Whether a page of another origin asks. Following a link to the page itself is no such thing.</summary>
    private static bool IsFromElsewhere(HttpRequest request, string host, string target)
    {
        if (request.Headers.Origin is { Count: > 0 } origin && (origin.Count > 1 || origin[0] != $"http://{host}"))
            return true;
        var site = request.Headers["Sec-Fetch-Site"].ToString();
        return site is not ("" or "same-origin" or "none") && !(target == "/" && request.Headers["Sec-Fetch-Mode"] == "navigate" && request.Headers["Sec-Fetch-Dest"] == "document");
    }
}
