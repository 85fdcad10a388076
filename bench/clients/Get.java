import java.net.HttpURLConnection;
import java.net.URI;

/** Gets a page with what Java comes with. */
public class Get {
    public static void main(String[] args) throws Exception {
        ((HttpURLConnection) URI.create(args[0]).toURL().openConnection()).getInputStream().readAllBytes();
    }
}
