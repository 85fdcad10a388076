# Reads what to visit, a JSON object a line, and writes what came of each, in the same order.
import concurrent.futures, json, socket, ssl, sys, urllib.error, urllib.request

# Names lead to this machine.
lookup = socket.getaddrinfo
socket.getaddrinfo = lambda host, *args, **kw: lookup(host if host[0].isdigit() else "127.0.0.1", *args, **kw)


def visit(job):
    proxies = {"https": job["proxy"]} if job["proxy"] else {}
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler(proxies),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=job["trust"])),
    )
    try:
        with opener.open(job["url"], timeout=20) as answer:
            return {"status": answer.status, "body": answer.read().decode()}
    except urllib.error.HTTPError as e:
        return {"status": e.code, "body": ""}
    except urllib.error.URLError as e:
        why = e.reason
        if isinstance(why, ssl.SSLCertVerificationError):
            # In the words for a wrong name stands the name.
            return {"failed": f"verify {why.verify_code}: {why.verify_message.split(',')[0]}"}
        if isinstance(why, ssl.SSLError):
            return {"failed": f"{type(why).__name__}: {why.reason}"}
        return {"failed": f"{type(why).__name__}: {why}"}
    except Exception as e:
        return {"failed": f"{type(e).__name__}: {e}"}


with concurrent.futures.ThreadPoolExecutor(4) as pool:
    for result in pool.map(visit, map(json.loads, sys.stdin)):
        print(json.dumps(result))
