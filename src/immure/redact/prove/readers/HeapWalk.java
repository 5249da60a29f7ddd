import java.io.File;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.graalvm.visualvm.lib.jfluid.heap.Heap;
import org.graalvm.visualvm.lib.jfluid.heap.HeapFactory;
import org.graalvm.visualvm.lib.jfluid.heap.HeapSummary;
import org.graalvm.visualvm.lib.jfluid.heap.JavaClass;

/** Tells what VisualVM's heap library sees in a heap dump: totals, then a line for each class. */
public class HeapWalk {
    public static void main(String[] arguments) throws Exception {
        Heap heap = HeapFactory.createHeap(new File(arguments[0]));
        HeapSummary summary = heap.getSummary();
        List<String> lines = new ArrayList<>();
        for (Object each : heap.getAllClasses()) {
            JavaClass one = (JavaClass) each;
            lines.add(one.getJavaClassId() + " " + one.getName() + " " + one.getInstancesCount() + " " + one.getAllInstancesSize());
        }
        Collections.sort(lines);
        System.out.println("instances " + summary.getTotalLiveInstances());
        System.out.println("bytes " + summary.getTotalLiveBytes());
        System.out.println("classes " + lines.size());
        System.out.println("roots " + heap.getGCRoots().size());
        for (String line : lines) System.out.println(line);
    }
}
